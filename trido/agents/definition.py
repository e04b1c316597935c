"""Definitions: what an agent is and decides, as a value. It runs nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final, Generic, TypedDict, TypeVar, Unpack, cast, overload

from trido.agents.directive import Directive, is_directive
from trido.agents.errors import EffectfulRoute, InvalidDecision
from trido.agents.frozen import EMPTY
from trido.agents.handlers import (
    NOT_GIVEN,
    AsyncHook,
    AsyncTurnHook,
    Hook,
    PlainHook,
    PlainTurnHook,
    Register,
    RegisterFor,
    callers_names,
    inspect_handler,
    inspect_hook,
)
from trido.agents.patterns import is_exact
from trido.agents.routing import Guard, OnCallerGone, Route, Routes, choose
from trido.agents.schema import Schema
from trido.agents.secrets import redacted
from trido.agents.signal import Request, Signal
from trido.agents.state import StateClass
from trido.agents.turn import NO_TURN, Turn
from trido.agents.versions import FIRST, Upgrade, Version, version_of
from trido.checks import flag, is_utf8, one_of, seconds
from trido.errors import SpecError

S = TypeVar("S")
D = TypeVar("D")


if TYPE_CHECKING:

    class RouteOptions(TypedDict, total=False):
        """What may be said of a route besides."""

        guard: Guard | None
        priority: int
        turn_limit: float | None
        on_caller_gone: OnCallerGone
        version: int
        upgrades: Mapping[int, Upgrade]


def _is_name(name: object) -> bool:
    if not isinstance(name, str) or not name:
        return False
    return "/" not in name and is_utf8(name)  # it is part of ids


class Definition(Generic[S]):
    """A name, a state class, and a handler for each type of signal.

    Raises:
      SpecError: the state class is not a frozen attrs class whose fields all have defaults.
    """

    def __init__(
        self,
        name: str,
        *,
        state: type[S],
        version: int = 1,
        upgrades: Mapping[int, Upgrade] = EMPTY,
    ) -> None:
        if not _is_name(name):
            allowed = (
                "a non-empty string that UTF-8 can encode, without '/', which ids of children have"
            )
            raise SpecError("name", name, allowed, of="Agent")
        self.name = name
        """What it is called, wherever agents are told apart by what they do."""
        self.of: str = f"Agent {name!r}"
        self.routes: Routes = Routes()
        self.state: StateClass[S] = StateClass(self.of, state, callers_names())
        self.version: Version = version_of(self.of, version, upgrades)
        """Of its state, as that is written."""
        self.starts: Hook | None = None
        self.stops: Hook | None = None

    def __repr__(self) -> str:
        return f"<trido.{type(self).__name__} {self.name!r}>"

    @overload
    def on(
        self, type: str, /, *, check: bool = True, **options: Unpack[RouteOptions]
    ) -> Register[S]: ...
    @overload
    def on(
        self, type: str, /, *, data: type[D], check: bool = True, **options: Unpack[RouteOptions]
    ) -> RegisterFor[S, D]: ...
    def on(
        self,
        type: str,
        /,
        *,
        data: Any = NOT_GIVEN,
        check: bool = True,
        guard: Guard | None = None,
        priority: int = 0,
        turn_limit: float | None = None,
        on_caller_gone: OnCallerGone = "cancel",
        version: int = 1,
        upgrades: Mapping[int, Upgrade] = EMPTY,
    ) -> Any:
        """Decorate a function: it decides what a signal of this type does.

        It is called as ``handler(state, data)``, or ``handler(state, data, turn)`` if it has a
        third parameter, and returns the new state, or the new state and a sequence of directives.
        It must not do anything else: what it wants done, it says.

        An ``async def`` makes the turn *effectful*: it may await, and holds the mailbox while it
        does. Its state and directives are all or nothing; what it did outside stays done.

        It stays the plain function, and gains a method: ``handler.signal(data)`` is the signal it
        handles, and a call with that is typed.

        Args:
          type: the type of the signals, or a pattern: ``*`` stands for one segment, ``**`` for
            any number. The closest pattern wins.
          data: the parameter class; without it, what the second parameter is annotated with.
          check: False takes the data of signals as it comes, without looking at it.
          guard: ``guard(state, data)`` says whether this route is taken; if it raises, the signal
            is refused.
          priority: of routes that fit alike, the higher is tried first.
          turn_limit: after how many seconds an effectful turn is cancelled; without it, as the
            agent says.
          on_caller_gone: what becomes of an effectful turn whose caller is cancelled. It is
            cancelled too, or it may ``"finish"``, and its answer is dropped.
          version: of the data of such signals, as a journal keeps them: one more whenever the
            parameter class changes. All agents of a runtime agree on it.
          upgrades: what makes plain data of version ``n`` plain data of version ``n + 1``, by
            ``n``. Each is a pure function.

        Raises:
          SpecError: there is a route for this type already, or the function is no handler.
        """
        if callable(type):
            allowed = "the type of a signal, before the function: @agent.on('counter.add')"
            raise SpecError("type", type, allowed, of=f"on of {self.of}")
        of = f"route {type!r} of {self.of}"
        self.routes.check(of, type, guard, priority)
        flag(of, "check", check)
        if turn_limit is not None:
            seconds(of, "turn_limit", turn_limit)
        one_of(of, "on_caller_gone", on_caller_gone, ("cancel", "finish"))
        written = _version(of, type, version, upgrades)

        def register(handler: Any) -> Any:
            self.routes.check(of, type, guard, priority)
            names = callers_names()
            found = inspect_handler(of, handler, self.state.cls, data, names)
            route = Route(
                type,
                handler,
                found.takes_turn,
                Schema(of, found.data, names),
                check,
                guard,
                priority,
                found.is_async,
                turn_limit,
                on_caller_gone,
                written,
            )
            self.routes.add(route)
            handler.signal = lambda data, /: _request(of, type, data)
            return handler

        return register

    @overload
    def on_start(self, hook: AsyncHook[S], /) -> AsyncHook[S]: ...
    @overload
    def on_start(self, hook: AsyncTurnHook[S], /) -> AsyncTurnHook[S]: ...
    @overload
    def on_start(self, hook: PlainHook[S], /) -> PlainHook[S]: ...
    @overload
    def on_start(self, hook: PlainTurnHook[S], /) -> PlainTurnHook[S]: ...
    def on_start(self, hook: Any, /) -> Any:
        """Decorate a function of ``(state)`` or ``(state, turn)``: the decision of every start.

        It is committed before any queued signal is served. ``turn.why`` is ``"start"`` or
        ``"restart"``. If it raises, the start has failed.

        Raises:
          SpecError: there is one already, or the function is none.
        """
        self.starts = self._hook("on_start", self.starts, hook)
        return hook

    @overload
    def on_stop(self, hook: AsyncHook[S], /) -> AsyncHook[S]: ...
    @overload
    def on_stop(self, hook: AsyncTurnHook[S], /) -> AsyncTurnHook[S]: ...
    @overload
    def on_stop(self, hook: PlainHook[S], /) -> PlainHook[S]: ...
    @overload
    def on_stop(self, hook: PlainTurnHook[S], /) -> PlainTurnHook[S]: ...
    def on_stop(self, hook: Any, /) -> Any:
        """Decorate a function of ``(state)`` or ``(state, turn)``: the decision of an ordered stop.

        Its directives are carried out within the grace. It is not asked after a crash.

        Raises:
          SpecError: there is one already, or the function is none.
        """
        self.stops = self._hook("on_stop", self.stops, hook)
        return hook

    def _hook(self, name: str, known: Hook | None, hook: Any) -> Hook:
        if known is not None:
            raise SpecError(name, hook, "given once", of=self.of)
        found = inspect_hook(self.of, name, hook, self.state.cls, callers_names())
        return Hook(name, hook, found.takes_turn, found.is_async)

    def cmd(
        self, state: S, signal: Signal, turn: Turn | None = None
    ) -> tuple[S, tuple[Directive, ...]]:
        """Decide what ``signal`` does to ``state``: the new state, and what is to be done.

        Pure: the same arguments give the same result, and nothing else happens. It is what a
        running agent does with a signal before it commits.

        Raises:
          NoRoute: there is no route for such a signal.
          InvalidData: its data is not what the route takes.
          EffectfulRoute: its handler is async: it does more than decide.
          InvalidDecision: the handler returned what is no decision.
          RuntimeError: the handler read something of the turn that ``turn`` does not say.
          Exception: whatever the handler raises, such as `Reject`.
        """
        if not isinstance(state, self.state.cls):
            raise TypeError(
                f"{self.of} has a {self.state.cls.__name__} for its state: {redacted(state)}"
            )
        if not isinstance(signal, Signal):
            raise TypeError(f"{self.of} decides about a trido.Signal: {redacted(signal)}")
        route, data = self.route(state, signal)
        if route.is_async:
            raise EffectfulRoute(self.name, signal.type)
        return self.decide(route, state, data, (turn or NO_TURN).anew())

    def route(self, state: S, signal: Signal) -> tuple[Route, Any]:
        """The route that ``signal`` takes, and the data for it.

        Raises:
          NoRoute, InvalidData: there is none, or its data is not what the route takes.
          Reject: a guard refused it, or failed.
        """
        route = self.routes.exact(signal.type)
        if route is None:
            return choose(self.name, self.routes.match(signal.type), state, signal)
        data = signal.data
        return route, data if route.fits(data) else route.data_of(signal)

    def decide(
        self, route: Route | Hook, state: S, data: Any, turn: Turn
    ) -> tuple[S, tuple[Directive, ...]]:
        """Have a handler that is no coroutine function decide, and check what it says."""
        return self.checked(route, state, route.call(state, data, turn))

    def checked(
        self, route: Route | Hook, state: S, decision: object
    ) -> tuple[S, tuple[Directive, ...]]:
        """The new state and the directives that a handler returned.

        Raises:
          InvalidDecision: it returned what is no decision.
        """
        directives: tuple[Directive, ...] = ()
        if type(decision) is self.state.cls:
            new = cast("S", decision)
        else:
            new, directives = self._parts(route, decision)
        if not (new is state or self.state.follows(new, state)):
            new = self.state.check(new, state)
        return new, directives

    def _parts(self, route: Route | Hook, decision: object) -> tuple[S, tuple[Directive, ...]]:
        directives: object = ()
        if isinstance(decision, tuple) and len(decision) == 2:  # noqa: PLR2004  # a pair
            decision, directives = decision
        if not isinstance(decision, self.state.cls):
            raise InvalidDecision(
                f"handler of {route.pattern!r} returned {redacted(decision)}, which is neither"
                f" a {self.state.cls.__name__} nor (a {self.state.cls.__name__}, directives)"
            )
        return cast("S", decision), _directives(route, directives)


def _version(of: str, type: str, number: int, upgrades: Mapping[int, Upgrade]) -> Version:
    version = version_of(of, number, upgrades)
    if version != FIRST and not is_exact(type):
        allowed = "left out: signals of many types have no one version"
        raise SpecError("version", number, allowed, of=of)
    return version


def _request(of: str, type: str, data: Any) -> Request[Any, Any]:
    if not is_exact(type):
        allowed = "an exact type: make a trido.Signal of one that the pattern fits"
        raise SpecError("type", type, allowed, of=of)
    return Request(type, data)


def _directives(route: Route | Hook, directives: object) -> tuple[Directive, ...]:
    wrong, rule = directives, "directives come in a list or a tuple"
    if isinstance(directives, _SEQUENCES) and not isinstance(directives, str):
        wrongs = [one for one in directives if not is_directive(one)]
        if not wrongs:
            return tuple(directives)
        wrong, rule = wrongs[0], "directives are data, such as trido.Emit(signal)"
    said = f"handler of {route.pattern!r} returned {redacted(wrong)} as a directive"
    raise InvalidDecision(f"{said}; {rule}")


# Those that it nearly always is come first: of an ABC it takes longer to tell.
_SEQUENCES: Final = (list, tuple, Sequence)
