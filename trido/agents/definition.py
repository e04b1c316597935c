"""Definitions: what an agent is and decides, as a value. It runs nothing."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Generic, TypeVar, cast, overload

from trido.agents.directive import Directive
from trido.agents.errors import InvalidDecision, NoRoute
from trido.agents.handlers import (
    NOT_GIVEN,
    Register,
    RegisterFor,
    callers_names,
    inspect_handler,
)
from trido.agents.routing import Route, Routes
from trido.agents.schema import Schema
from trido.agents.signal import Request, Signal
from trido.agents.state import StateClass
from trido.agents.turn import NO_TURN, Turn
from trido.errors import SpecError

S = TypeVar("S")
D = TypeVar("D")


def _is_name(name: object) -> bool:
    return isinstance(name, str) and name != ""


class Definition(Generic[S]):
    """A name, a state class, and a handler for each type of signal.

    Raises:
      SpecError: the state class is not a frozen attrs class whose fields all have defaults.
    """

    def __init__(self, name: str, *, state: type[S]) -> None:
        if not _is_name(name):
            raise SpecError("name", name, "a non-empty string", of="Agent")
        self.name = name
        """What it is called, wherever agents are told apart by what they do."""
        self.of: str = f"Agent {name!r}"
        self.routes: Routes = Routes()
        self.state: StateClass[S] = StateClass(self.of, state, callers_names())

    def __repr__(self) -> str:
        return f"<trido.{type(self).__name__} {self.name!r}>"

    @overload
    def on(self, type: str, /, *, check: bool = True) -> Register[S]: ...
    @overload
    def on(self, type: str, /, *, data: type[D], check: bool = True) -> RegisterFor[S, D]: ...
    def on(self, type: str, /, *, data: Any = NOT_GIVEN, check: bool = True) -> Any:
        """Decorate a function: it decides what a signal of this type does.

        It is called as ``handler(state, data)``, or ``handler(state, data, turn)`` if it has a
        third parameter, and returns the new state, or the new state and a sequence of directives.
        It must not do anything else: what it wants done, it says.

        It stays the plain function, and gains a method: ``handler.signal(data)`` is the signal it
        handles, and a call with that is typed.

        Args:
          type: the exact type of the signals.
          data: the parameter class; without it, what the second parameter is annotated with.
          check: False takes the data of signals as it comes, without looking at it.

        Raises:
          SpecError: there is a route for this type already, or the function is no handler.
        """
        of = f"route {type!r} of {self.of}"
        self.routes.check(of, type)
        if not isinstance(check, bool):
            raise SpecError("check", check, "True or False", of=of)

        def register(handler: Any) -> Any:
            self.routes.check(of, type)
            names = callers_names()
            declared, takes_turn = inspect_handler(of, handler, self.state.cls, data, names)
            schema = Schema(of, declared, names)
            self.routes.add(Route(type, handler, takes_turn, schema, check))
            handler.signal = lambda data, /: Request(type, data)
            return handler

        return register

    def cmd(
        self, state: S, signal: Signal, turn: Turn | None = None
    ) -> tuple[S, tuple[Directive, ...]]:
        """Decide what ``signal`` does to ``state``: the new state, and what is to be done.

        Pure: the same arguments give the same result, and nothing else happens. It is what a
        running agent does with a signal before it commits.

        Raises:
          NoRoute: there is no route for such a signal.
          InvalidData: its data is not what the route takes.
          InvalidDecision: the handler returned what is no decision.
          RuntimeError: the handler read something of the turn that ``turn`` does not say.
          Exception: whatever the handler raises, such as `Reject`.
        """
        if not isinstance(state, self.state.cls):
            raise TypeError(f"{self.of} has a {self.state.cls.__name__} for its state: {state!r}")
        route = self.route(signal)
        return self.decide(route, state, route.data_of(signal), turn or NO_TURN)

    def route(self, signal: Signal) -> Route:
        """The route that ``signal`` takes. Raises `NoRoute`."""
        route = self.routes.exact(signal.type)
        if route is None:
            raise NoRoute(self.name, signal.type)
        return route

    def decide(
        self, route: Route, state: S, data: Any, turn: Turn
    ) -> tuple[S, tuple[Directive, ...]]:
        """Have the route's handler decide, and check what it says."""
        handler = route.handler
        decision = handler(state, data, turn) if route.takes_turn else handler(state, data)
        directives: object = ()
        match decision:
            case tuple([new, what]):
                decision, directives = new, what
        if not isinstance(decision, self.state.cls):
            raise InvalidDecision(
                f"handler of {route.pattern!r} returned {decision!r}, which is neither"
                f" a {self.state.cls.__name__} nor (a {self.state.cls.__name__}, directives)"
            )
        if decision is not state:
            self.state.check(cast("S", decision), state)
        return cast("S", decision), self._directives(route, directives)

    def _directives(self, route: Route, directives: object) -> tuple[Directive, ...]:
        if directives == ():
            return ()
        if isinstance(directives, Sequence):
            wrong = [one for one in directives if not isinstance(one, Directive)]
            if not wrong:
                return tuple(directives)
            directives = wrong[0]
        raise InvalidDecision(
            f"handler of {route.pattern!r} returned {directives!r} as a directive"
        )
