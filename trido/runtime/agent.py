"""Agents: what one decides, and how it is to be run. Still a value."""

from __future__ import annotations

import inspect
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Container, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar, Unpack, cast, final

from attrs import evolve

from trido.agents import Definition
from trido.agents.frozen import EMPTY
from trido.agents.versions import Upgrade
from trido.errors import SpecError
from trido.runtime.settings import SettingOptions, Settings
from trido.runtime.spec import AgentSpec, PolicyOptions

if TYPE_CHECKING:
    from trido.runtime.ref import AgentRef
    from trido.runtime.runtime import Runtime
    from trido.supervision.policy import ChildPolicy

S = TypeVar("S")
Lifespan: TypeAlias = Callable[[Any], AbstractAsyncContextManager[Any]]
"""Called with the agent's ref, once for each run."""
L = TypeVar("L", bound=Callable[[Any], AsyncIterator[Any] | AbstractAsyncContextManager[Any, Any]])


class SpecOptions(PolicyOptions, SettingOptions, total=False):
    """The keyword arguments of `Agent.spec`, besides the id."""


@final
class Agent(Definition[S]):
    """The definition of an agent: a name, a state class, handlers, and how to run it.

    It is a value, and runs nothing: `cmd` decides without anything running, and `spec` makes a
    child for a supervisor. Any number of agents can be run of one definition.

    Args:
      name: what it is called, wherever definitions are told apart.
      state: a frozen attrs class whose fields all have defaults. An agent begins with ``state()``.
      mailbox: how many signals may wait.
      overflow: what happens to one more: its sender waits (``"block"``) or is refused
        (``"reject"``), or a signal is dropped: this one (``"drop_newest"``) or the one that waited
        longest (``"drop_oldest"``). A dropped cast is a dead letter; a dropped call raises
        `Overloaded`.
      keep_mailbox: whether signals that wait when the agent crashes are served by its next run;
        False makes dead letters of them.
      recover: what the next run begins with after a crash: ``state()`` again, without the timers
        and children of the last one (``"fresh"``), or the last committed state, with them
        (``"committed"``).
      redeliver: how often a cast that the agent died on is tried again.
      turn_limit: how many seconds an effectful turn may take.
      runs: how many `Run` directives may be in flight at once.
      idle_timeout: after how many seconds with nothing to do the agent hibernates, until the next
        signal to it: its run ends, its state and its timers are kept. Whatever is under way keeps
        it awake; see `Hibernate` for the same by a decision.
      on_error: what a failed directive does: it is logged (``"log"``), ends the agent
        (``"stop"``), is published as ``agent.directive.failed`` (``"emit"``), ends the agent once
        there are too many (`max_errors`), or what a function of the `DirectiveFailed` says.
      trap_exits: whether the abnormal end of a linked agent is a signal, ``agent.exit``, instead
        of this agent's end.
      children: agents to spawn in every run (`SpawnAgent`), and specs of other children.
      schedules: timers that every run begins with (`Cron`, `Schedule`), each with a key.
      subscribe: patterns of what is published that the agent is sent.
      version: of the state, as a journal keeps it: one more whenever the state class changes.
      upgrades: what makes a state of version ``n`` one of version ``n + 1``, by ``n``: a pure
        function of its fields, a mapping of names to plain data, that gives such a mapping.
      durability: what survives the process: nothing (``"none"``); all that is answered or seen
        (``"buffered"``); and that also if the machine crashes (``"sync"``). The last two need a
        runtime with a journal, and go on after a crash with what was committed, whatever
        ``recover`` says.
      dedupe: of a durable agent: how many ids of applied inputs are kept (``1000``), for how long
        (``timedelta(hours=1)``), or both, as a pair. A signal whose id is known runs no turn.
      history: of a durable agent: how many turns can be read again.

    Raises:
      SpecError: an argument is not what it may be.
    """

    def __init__(
        self,
        name: str,
        *,
        state: type[S],
        version: int = 1,
        upgrades: Mapping[int, Upgrade] = EMPTY,
        **settings: Unpack[SettingOptions],
    ) -> None:
        super().__init__(name, state=state, version=version, upgrades=upgrades)
        self._refuse_unknown(settings, SettingOptions.__annotations__)
        self.settings: Settings = Settings(of=self.of, **cast("Any", settings))
        self.settings.check_kept(settings)
        self.lives: Lifespan | None = None
        self.known_terms: tuple[tuple[object, ...], ChildPolicy] | None = None
        """How the latest spec says to run it, and the policy that goes with that."""

    def lifespan(self, function: L) -> L:
        """Decorate what a run of the agent needs for as long as it lives: a pool, a connection.

        An async context manager, or an async generator that yields once, of the agent's ref. It is
        entered before a run is ready, and left when the run ends, however it ends; then it sees the
        crash, and cannot swallow it. What it yields is ``turn.resource`` in effectful turns.

        Raises:
          SpecError: there is one already, or the function is none.
        """
        if self.lives is not None:
            raise SpecError("lifespan", function, "given once", of=self.of)
        if not _may_be_entered(function):
            raise SpecError("lifespan", function, _LIFESPANS, of=self.of)
        if inspect.isasyncgenfunction(function):
            generator = cast("Callable[[Any], AsyncGenerator[Any]]", function)
            self.lives = asynccontextmanager(generator)
        else:
            self.lives = cast("Lifespan", function)
        return function

    def spec(
        self, *, id: str, runtime: Runtime | None = None, **options: Unpack[SpecOptions]
    ) -> AgentSpec[S]:
        """A child for a supervisor: an agent with this id. Its `Child.value` is its `AgentRef`.

        A crash restarts it, a `Stop` does not: it is transient unless ``restart`` says otherwise.
        ``shutdown`` bounds how long it may take, after it was asked to stop, to get done with what
        it has committed. The other options are those of a `ChildSpec` and the agent's settings.

        With a ``runtime`` it is one of its agents, wherever in a tree it stands. Without one it is
        whole but alone: nobody has subscribed, and it knows no other agent but by its ref.

        Raises:
          SpecError: an argument is not what it may be.
        """
        if options.keys() <= _POLICY:
            only = cast("PolicyOptions", options)
            return AgentSpec(agent=self, id=id, settings=self.settings, runtime=runtime, **only)
        self._refuse_unknown(options, _OPTIONS)
        policy = {key: options.pop(key) for key in _POLICY if key in options}  # type: ignore[misc]
        settings = evolve(self.settings, **cast("dict[str, Any]", options))
        settings.check_kept(options)
        return AgentSpec(
            agent=self, id=id, settings=settings, runtime=runtime, **cast("Any", policy)
        )

    def _refuse_unknown(self, given: Mapping[str, Any], known: Container[str]) -> None:
        for name in given:
            if name not in known:
                raise TypeError(f"{self.of} got an unexpected keyword argument {name!r}")

    def run_by(self, ref: AgentRef[S]) -> AbstractAsyncContextManager[Any]:
        """The lifespan of one run."""
        made: object = cast("Lifespan", self.lives)(ref)
        if not isinstance(made, AbstractAsyncContextManager):
            raise SpecError("lifespan", made, "an async context manager", of=self.of)
        return made


_LIFESPANS = "an async context manager, or an async generator function"


def _may_be_entered(function: object) -> bool:
    """Whether ``async with function(ref)`` may be possible, as far as can be seen from outside."""
    if isinstance(function, type):
        return hasattr(function, "__aenter__") and hasattr(function, "__aexit__")
    plain = inspect.unwrap(function) if callable(function) else None  # of @asynccontextmanager
    return callable(function) and not (
        inspect.iscoroutinefunction(plain) or inspect.isgeneratorfunction(plain)
    )


_OPTIONS = frozenset({*PolicyOptions.__annotations__, *SettingOptions.__annotations__})
_POLICY = frozenset(PolicyOptions.__annotations__)
