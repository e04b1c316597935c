"""How a runtime is opened: what is asked of its arguments, and the block that it lives in."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractAsyncContextManager
from datetime import datetime
from types import TracebackType
from typing import Any, Final, Protocol, TypeVar, final

from trio.lowlevel import enable_ki_protection

from trido.agents import Action, Definition
from trido.agents.directive import is_directive_class
from trido.checks import text
from trido.errors import SpecError
from trido.journal import Journal
from trido.runtime.bus import Bus
from trido.runtime.dead_letters import DeadLetters
from trido.runtime.environment import Environment
from trido.runtime.executors import Executor, executor
from trido.runtime.plan import BUILT_IN
from trido.runtime.runtime import Runtime
from trido.runtime.storage import Storage
from trido.runtime.watchdog import Watchdog, WatchdogSpec
from trido.supervision import Supervisor, SupervisorSpec
from trido.supervision.block import Block
from trido.supervision.bus import Bus as EventBus
from trido.supervision.bus import Observer
from trido.supervision.probe import PROBE


class _Named(Protocol):
    @property
    def name(self) -> str: ...


D = TypeVar("D", bound=_Named)

KEPT: Final = 10_000
"""How many dead letters a runtime keeps."""


def open_runtime(
    *,
    id: str = "runtime",
    journal: Journal | None = None,
    agents: Iterable[Definition[Any]] = (),
    actions: Iterable[Action[Any, Any]] = (),
    executors: Mapping[type[Any], Any] | None = None,
    dispatch: Mapping[str, Any] | None = None,
    clock: Callable[[], datetime] | None = None,
    watchdog: float | WatchdogSpec | None = None,
    observers: Iterable[Observer] = (),
) -> AbstractAsyncContextManager[Runtime]:
    """Run agents that know each other by name, for as long as the block lasts.

    Leaving stops all agents, each in order and all at once, and waits until they have ended. What
    leaves the block is what its body raised, or what is no `Exception` and came out of an agent.

    Checkpoints: entering and leaving always do; leaving is not cut short by being cancelled, as
    with `open_supervisor`.

    With a ``journal`` its agents may be durable. It is opened first, and closed when all that the
    agents committed is written. Those that have something to do are woken: started by the
    definition of the name that the journal has for them.

    Args:
      id: what it is called, in paths and logs.
      journal: where durable agents are kept.
      agents: definitions that are to be known by their names.
      actions: actions that are to be known by their names: those of ``Run`` directives that a
        durable agent commits.
      executors: who carries out directives of one's own: an `Executor`, or an async function, for
        each class of them.
      dispatch: who sends signals outside, by the name of a `Via`.
      clock: what tells the time of day, with a time zone; the system's if it is not given. In
        virtual time it goes by Trio's clock.
      watchdog: after how many seconds code that lets nothing else run is told of, in the log; or a
        `WatchdogSpec`.
      observers: each is called with every event of the tree; see `trido.events`.

    Raises:
      SpecError: at once, if an argument is not what it may be; when entering, if ``clock`` tells no
        time.
      JournalError: when entering, if the journal cannot be opened.
    """
    env = Environment(
        bus=Bus(),
        executors=_executors(executors or {}),
        dispatch=_dispatch(dispatch or {}),
        clock=clock,
        watchdog=_watchdog(watchdog),
        probe=PROBE.get(),
    )
    if clock is not None and not callable(clock):
        raise SpecError("clock", clock, "a function that tells the time of day", of="open_runtime")
    env.definitions = _by_name("agents", Definition, agents)
    known = _by_name("actions", Action, actions)
    if journal is not None:
        # Whoever keeps nothing does not pay for what keeps it.
        from trido.agents.codec.codec import Codec  # noqa: PLC0415

        env.journal = _journal(journal)
        kinds = _by_class_name(env.executors)
        env.codec = Codec(env.definitions, known, kinds)
    env.letters = DeadLetters(KEPT, env.places.get)
    if env.probe is not None:
        env.probe.opened(env)
    text("open_runtime", "id", id)
    root = Supervisor(SupervisorSpec(id=id), EventBus(observers), dynamic=True)
    runtime = env.runtime = Runtime(env, root)
    return _RuntimeBlock(runtime, Block(root))


@final
class _RuntimeBlock:
    """The ``async with`` of a runtime: that of its supervisor, and what belongs to it."""

    def __init__(self, runtime: Runtime, block: Block[Supervisor]) -> None:
        self._runtime = runtime
        self._block = block
        env = runtime.env
        self._storage = None if env.journal is None else Storage(env, env.journal)

    @enable_ki_protection
    async def __aenter__(self) -> Runtime:
        self._runtime.env.now()  # raises if that is no time
        if self._storage is not None:
            await self._storage.open()
        try:
            await self._block.__aenter__()
        except BaseException:
            await self._close()  # noqa: ASYNC102  # it shields itself, and takes what the disk takes
            raise
        self._runtime.opened()
        return self._runtime

    async def _close(self) -> None:
        if self._storage is not None:
            await self._storage.close()

    @enable_ki_protection
    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> bool:
        self._runtime.closing()
        try:
            return await self._block.__aexit__(exc_type, exc, traceback)  # noqa: ASYNC102
        finally:
            self._runtime.closed()
            await self._close()  # noqa: ASYNC102  # see above


def _executors(given: Mapping[type[Any], Any]) -> dict[type, Executor]:
    for kind in given:
        if not is_directive_class(kind) or kind in BUILT_IN:
            allowed = "frozen classes of one's own"
            raise SpecError("executors", kind, allowed, of="open_runtime")
    return {kind: executor(what) for kind, what in given.items()}


def _dispatch(given: Mapping[str, Any]) -> dict[str, Executor]:
    for name in given:
        text("open_runtime", "dispatch", name)
    return {name: executor(what) for name, what in given.items()}


def _watchdog(given: float | WatchdogSpec | None) -> Watchdog | None:
    if given is None:
        return None
    return Watchdog(given if isinstance(given, WatchdogSpec) else WatchdogSpec(given))


def _by_name(field: str, kind: type[D], given: Iterable[Any]) -> dict[str, D]:
    if not isinstance(given, Iterable):
        raise SpecError(field, given, f"a list of {field}", of="open_runtime")
    found: dict[str, D] = {}
    for one in given:
        if not isinstance(one, kind) or one.name in found:
            allowed = f"{field}, each with a name of its own"
            raise SpecError(field, one, allowed, of="open_runtime")
        found[one.name] = one
    return found


def _by_class_name(executors: Mapping[type, Executor]) -> dict[str, type]:
    found: dict[str, type] = {}
    for kind in executors:
        if kind.__name__ in found:
            allowed = "classes whose names differ: a journal knows them by these"
            raise SpecError("executors", kind, allowed, of="open_runtime")
        found[kind.__name__] = kind
    return found


def _journal(given: object) -> Journal:
    if not isinstance(given, Journal):
        allowed = "a journal, such as trido.SqliteJournal(path)"
        raise SpecError("journal", given, allowed, of="open_runtime")
    return given
