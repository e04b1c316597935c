"""What belongs to the place of an agent, and outlives its runs.

Most agents are idle most of the time and use few of these parts, so each is made when it is first
used.
"""

from __future__ import annotations

import math
from collections.abc import Set as AbstractSet
from typing import TYPE_CHECKING, Any, Final, Generic, TypeVar, cast

import trio

from trido.agents.errors import AgentError
from trido.runtime.agent import Agent
from trido.runtime.asleep import Asleep
from trido.runtime.dead_letters import KEPT, DeadLetters
from trido.runtime.dispatcher import Dispatcher
from trido.runtime.environment import Environment, alone
from trido.runtime.errors import NoSuchAgent
from trido.runtime.failures import Failures
from trido.runtime.family import Family, FamilyErrand, Kin
from trido.runtime.flight import Flight
from trido.runtime.idle import Idle
from trido.runtime.mailbox import Mailbox
from trido.runtime.monitors import Monitors, Watching
from trido.runtime.outbox import Outbox
from trido.runtime.probe import mailbox
from trido.runtime.ref import AgentRef, AgentStatus
from trido.runtime.requests import Requests
from trido.runtime.settings import Settings
from trido.runtime.spec import AgentSpec
from trido.runtime.timers import Timers
from trido.runtime.waiting import Waiting
from trido.supervision import Child
from trido.supervision.place import End
from trido.supervision.tables import State

if TYPE_CHECKING:
    from trido.agents.codec.codec import Codec
    from trido.runtime.durable import Durable
    from trido.runtime.effectful import EffectfulTurn
    from trido.runtime.place import AgentPlace
    from trido.runtime.runs import Runs
    from trido.runtime.server import AgentRun

S = TypeVar("S")

_NOTHING: Final = frozenset[trio.Event]()


class Parts(Generic[S]):
    """The parts of an `AgentPlace`."""

    __slots__ = (
        "_before",
        "_child",
        "_dispatcher",
        "_ended",
        "_ended_run",
        "_ending",
        "_failures",
        "_family",
        "_former_runs",
        "_is_told",
        "_letters",
        "_lingering",
        "_monitors",
        "_nursery",
        "_outbox",
        "_requests",
        "_run",
        "_runs",
        "_timers",
        "_waiting",
        "_watching",
        "agent",
        "asleep",
        "comes_back",
        "dead_lettered",
        "durable",
        "env",
        "flight",
        "hibernates",
        "id",
        "idle",
        "in_turn",
        "is_plain",
        "kin",
        "mailbox",
        "on_the_spot",
        "ref",
        "revision",
        "settings",
        "spec",
        "state",
    )

    def __init__(self, spec: AgentSpec[S]) -> None:
        self.spec: AgentSpec[S] = spec
        self.agent: Agent[S] = spec.agent
        self.settings: Settings = spec.settings
        self.id: str = spec.id
        self.env: Environment = alone() if spec.runtime is None else spec.runtime.env
        self.kin: Kin | None = spec.kin
        self.state: S = spec.agent.state.initial
        """The last committed state."""
        self.revision: int = 0
        """How many turns it has committed in all its runs."""
        self.in_turn: bool = False
        """A handler is deciding, on the spot."""
        self.comes_back: bool = False
        """It is being stopped only to be started again."""
        self._before: AgentPlace[Any] | None = None
        """Where it was woken, until that has ended."""
        whole = self._whole
        self.mailbox: Mailbox = mailbox(whole, spec.settings.mailbox)
        self.dead_lettered: int = 0
        self.ref: AgentRef[S] = AgentRef(whole)
        self.is_plain: bool = self.env.probe is None and self.env.watchdog is None
        """Nobody looks on at its turns."""
        self.durable: Durable[S] | None = None
        """What of it is in a journal, if that is to survive the process, and it does not sleep."""
        if self.settings.durability != "none":
            self.durable = self._new_durable()
        self._may_sleep_some_time()
        self._run: AgentRun[S] | None = None
        self._child: Child[Any] | None = None
        self._nursery: trio.Nursery | None = None
        self._dispatcher: Dispatcher | None = None
        self._ended: type[AgentError] | None = None
        self._ended_run: End | None = None
        """How its last run ended; None if there is a run, or was none."""
        self._is_told: bool = False
        """Its parent has been told of that."""
        self._former_runs: int = 0
        """How many runs it had in earlier runs of its parent."""
        self._outbox: Outbox | None = None
        self._ending: AbstractSet[trio.Event] = _NOTHING
        self._lingering: trio.CancelScope | None = None
        self._timers: Timers | None = None
        self._requests: Requests | None = None
        self._runs: Runs | None = None
        self._family: Family | None = None
        self._monitors: Monitors | None = None
        self._watching: Watching | None = None
        self._waiting: Waiting[S] | None = None
        self._failures: Failures | None = None
        self._letters: DeadLetters | None = None

    def _may_sleep_some_time(self) -> None:
        self.idle: Idle | None = None
        """How long it has had nothing to do, if it is to sleep some time."""
        if self.settings.idle_timeout < math.inf and self.may_sleep:
            self.idle = Idle(self._whole, self.settings.idle_timeout)
        self.on_the_spot: bool = self.env.probe is None and self.idle is None
        """Whether a turn may be served in the task of its caller."""
        self.hibernates: bool = False
        """Its run ends, and it sleeps then."""
        self.asleep: Asleep | None = None
        """Its sleep, until it is ready again."""
        self.flight: Flight | None = None
        """Its next start, if somebody waits for it to be ready."""

    @property
    def _whole(self) -> AgentPlace[S]:
        return self  # type: ignore[return-value]  # nothing less is ever made

    def _new_durable(self) -> Durable[S] | None:
        session = None if self.settings.durability == "none" else self.env.session
        if session is None:
            return None
        # Whoever keeps nothing does not pay for what keeps it.
        from trido.runtime.durable import Durable  # noqa: PLC0415

        return Durable(self._whole, session)

    # Made when first used ---------------------------------------------------------------------

    @property
    def dispatcher(self) -> Dispatcher:
        """Who serves it."""
        if self._dispatcher is None:
            raise NoSuchAgent(self.id)
        return self._dispatcher

    @property
    def outbox(self) -> Outbox:
        """What is to be done, in lanes."""
        if self._outbox is None:
            self._outbox = Outbox(self.went_idle)
        return self._outbox

    @property
    def timers(self) -> Timers:
        """What it sends itself."""
        if self._timers is None:
            self._timers = Timers(self._whole)
        return self._timers

    @property
    def requests(self) -> Requests:
        """Whom it owes an answer."""
        if self._requests is None:
            self._requests = Requests(self._whole)
        return self._requests

    @property
    def runs(self) -> Runs:
        """The actions beside it."""
        if self._runs is None:
            from trido.runtime.runs import Runs  # noqa: PLC0415  # most agents run nothing

            self._runs = Runs(self._whole)
        return self._runs

    @property
    def family(self) -> Family:
        """Its children."""
        if self._family is None:
            self._family = Family(self._whole)
        return self._family

    @property
    def monitors(self) -> Monitors:
        """Who watches it."""
        if self._monitors is None:
            self._monitors = Monitors(self._whole)
        return self._monitors

    @property
    def watching(self) -> Watching:
        """Whom it watches."""
        if self._watching is None:
            self._watching = Watching(self._whole)
        return self._watching

    @property
    def waiting(self) -> Waiting[S]:
        """Who waits for a state."""
        if self._waiting is None:
            self._waiting = Waiting()
        return self._waiting

    @property
    def letters(self) -> DeadLetters:
        """Where its dead letters are kept."""
        if self.env.letters is not None:
            return self.env.letters
        if self._letters is None:
            most = max(KEPT, self.settings.mailbox)
            self._letters = DeadLetters(most, lambda it: self._whole if it == self.id else None)
        return self._letters

    # Reading ----------------------------------------------------------------------------------

    @property
    def run(self) -> AgentRun[S]:
        """The run there is."""
        if self._run is None:
            raise NoSuchAgent(self.id)
        return self._run

    @property
    def has_run(self) -> bool:
        """Whether there is one that has not ended."""
        return self._run is not None

    @property
    def may_sleep(self) -> bool:
        """Whether it can be without a run. A child that lives with its parent cannot."""
        return self.kin is None or self.kin.on_parent_death is not None

    @property
    def serving_run(self) -> AgentRun[S] | None:
        """The run there is, unless it is ending."""
        run = self._run
        return None if run is None or run.phase in ("closing", "over") else run

    @property
    def open_turn(self) -> EffectfulTurn[S] | None:
        """The turn in progress, if its handler awaits."""
        return None if self._run is None else self._run.open_turn

    @property
    def yields(self) -> bool:
        """Whether it was woken, and ends for somebody else has a place for it."""
        return self.spec.woken is not None and self.spec.woken.yields

    @property
    def parent(self) -> AgentPlace[Any] | None:
        """Whose child it is."""
        return None if self.kin is None else self.kin.parent

    @property
    def shown_state(self) -> S:
        """The last committed state; if it is in a journal, the last that is durable."""
        return self.state if self.durable is None else self.durable.state

    @property
    def codec(self) -> Codec:
        """What writes for the journal, and reads from it."""
        return cast("Codec", self.env.codec)

    @property
    def incarnation(self) -> int:
        """The number of the latest run."""
        return self._former_runs + (0 if self._child is None else self._child.incarnation)

    @property
    def has_ended(self) -> bool:
        """Whether nobody will serve it, nor knows its state."""
        return self._ended is NoSuchAgent

    @property
    def life(self) -> State:
        """Where it is in its life."""
        return "stopped" if self._child is None else self._child.state

    def status(self) -> AgentStatus:
        """All of that, and more."""
        runs, requests, durable = self._runs, self._requests, self.durable
        recovers = durable is not None and durable.is_claiming and self.serving_run is not None
        return AgentStatus(
            id=self.id,
            agent=self.agent.name,
            state="recovering" if recovers else self.life if self.asleep is None else "hibernated",
            incarnation=self.incarnation,
            revision=self.revision if durable is None else durable.revision,
            queued=len(self.mailbox),
            waiting=self.mailbox.waiting,
            outbox=len(self._outbox or ()),
            runs=0 if runs is None else len(runs) + len(runs.flying),
            timers=len(self._timers or ()) + (0 if self.asleep is None else self.asleep.timers),
            children=len(self._family or ()),
            requests=len(requests or ()),
            late_replies=0 if requests is None else requests.ignored,
            dead_letters=self.dead_lettered,
        )

    @property
    def is_busy(self) -> bool:
        """Whether it has something left to do, and somebody does it."""
        if self._ended is not None and self._run is None and self.asleep is None:
            return self._outbox is not None and self._outbox.goes_on_without(FamilyErrand.LANE)
        return bool(
            self.mailbox
            or self.mailbox.waiting
            or self._outbox
            or (self._runs is not None and (self._runs or self._runs.flying))
            or (self.durable is not None and self.durable.is_busy)
            or self.open_turn is not None
        )

    def went_idle(self) -> None:
        """It may have nothing left to do."""
        if self.env.drain is not None:
            self.env.drain.look_at(self._whole)
        if self.idle is not None:
            self.idle.note()
