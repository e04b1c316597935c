"""What kinds of agents there are: their settings, and in which of their runs something fails."""

from __future__ import annotations

import math
from collections.abc import AsyncGenerator
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import trio
from attrs import evolve, fields, frozen
from hypothesis import strategies as st

import trido
from tests.faults.orders import Book, Job, Order
from trido.agents.family import ChildExit, ChildStarted, Down
from trido.agents.running import RunFailed

if TYPE_CHECKING:
    from tests.faults.desks import Desks

Hook: TypeAlias = Literal["", "plain", "awaits"]


@frozen
class Role:
    """The settings of an agent."""

    overflow: Any = "block"
    mailbox: int = 2
    recover: Any = "fresh"
    keep_mailbox: bool = True
    redeliver: int = 0
    turn_limit: float = math.inf
    runs: int = 64
    shutdown: float = 5.0
    on_error: Any = "log"
    subscribes: bool = False
    starts: Hook = ""
    stops: Hook = ""
    lives: bool = False
    bad_starts: frozenset[int] = frozenset()
    """In these runs `on_start` fails (or the entering of the lifespan, if there is none)."""
    bad_leaves: frozenset[int] = frozenset()
    """In these runs the leaving of the lifespan fails."""
    bad_stop: bool = False

    def __repr__(self) -> str:
        said = [
            f"{one}={getattr(self, one)!r}"
            for one in _FIELDS
            if getattr(self, one) != getattr(PLAIN, one)
        ]
        return f"Role({', '.join(said)})"

    @property
    def settings(self) -> dict[str, Any]:
        return {
            "overflow": self.overflow,
            "mailbox": self.mailbox,
            "recover": self.recover,
            "keep_mailbox": self.keep_mailbox,
            "redeliver": self.redeliver,
            "turn_limit": self.turn_limit,
            "runs": self.runs,
            "subscribe": ("news.*",) if self.subscribes else (),
        }


_FIELDS = [one.name for one in fields(Role)]
PLAIN = Role()
APPRENTICE = Role(mailbox=64)
"""What those are that agents spawn."""


def agent_of(role: Role, office: Desks) -> trido.Agent[Book]:
    """An agent that obeys orders, as its role has it."""

    def failed(error: trido.DirectiveFailed) -> Any:
        return office.directive_failed(error, role.on_error)

    agent = trido.Agent("worker", state=Book, on_error=failed, **role.settings)
    _routes(agent, office)
    _hooks(agent, role, office)
    return agent


def _routes(agent: trido.Agent[Book], office: Desks) -> None:  # noqa: C901  # one for each type
    async def wait(book: Book, order: Order, turn: trido.Turn) -> Any:
        return await office.serve_slowly(book, order, turn)

    async def finish(book: Book, order: Order, turn: trido.Turn) -> Any:
        return await office.serve_slowly(book, order, turn)

    def do(book: Book, order: Order, turn: trido.Turn) -> Any:
        return office.serve(book, order, turn)

    def news(book: Book, order: Order, turn: trido.Turn) -> Any:
        return office.serve(book, order, turn)

    def worked(book: Book, order: Order, turn: trido.Turn) -> Any:
        return office.serve(book, order, turn)

    def failed(book: Book, failure: RunFailed, turn: trido.Turn) -> Any:
        job: Job = failure.params
        return office.serve(book, Order(name=f"{job.name}.error"), turn)

    def strict(book: Book, data: Job, turn: trido.Turn) -> Any:
        return office.serve(book, Order(name=data.name), turn)

    def down(book: Book, down: Down) -> Book:
        return noted(book, f"!down {down.id} {down.incarnation} {down.reason}")

    def child_started(book: Book, child: ChildStarted) -> Book:
        return noted(book, f"!started {child.id} {child.incarnation}")

    def child_exit(book: Book, child: ChildExit) -> Book:
        return noted(book, f"!exit {child.down.id} {child.down.incarnation}")

    agent.on("do")(do)
    agent.on("wait")(wait)
    agent.on("wait.finish", on_caller_gone="finish")(finish)
    agent.on("news.do")(news)
    agent.on("worked")(worked)
    agent.on("failed")(failed)
    agent.on("agent.down")(down)
    agent.on("agent.child.started")(child_started)
    agent.on("agent.child.exit")(child_exit)
    agent.on("strict")(strict)


def noted(book: Book, what: str) -> Book:
    return evolve(book, done=(*book.done, what))


def _hooks(agent: trido.Agent[Book], role: Role, office: Desks) -> None:  # noqa: C901  # same
    def start(book: Book, turn: trido.Turn) -> Book:
        office.begin_run(role, turn.agent_id)
        return noted(book, f"!{turn.why}")

    async def start_slowly(book: Book, turn: trido.Turn) -> Book:
        await trio.sleep(0.5)
        return start(book, turn)

    def stop(book: Book, turn: trido.Turn) -> Book:
        if role.bad_stop:
            office.crashed(turn.agent_id, "on_stop")
        return noted(book, f"!{turn.why}")

    async def stop_slowly(book: Book, turn: trido.Turn) -> Book:
        await trio.sleep(0.5)
        return stop(book, turn)

    async def lifespan(ref: trido.AgentRef[Book]) -> AsyncGenerator[str]:
        if not role.starts:
            office.begin_run(role, ref.id)
        run = ref.incarnation
        with office.lifespan(ref):
            try:
                yield ref.id
            finally:
                with trio.CancelScope(shield=True):
                    await trio.sleep(0.25)
                if run in role.bad_leaves:
                    office.crashed(ref.id, "leaving the lifespan")

    if role.starts:
        agent.on_start(start if role.starts == "plain" else start_slowly)
    if role.stops:
        agent.on_stop(stop if role.stops == "plain" else stop_slowly)
    if role.lives:
        agent.lifespan(lifespan)


def _mostly(usual: Any, *others: Any) -> st.SearchStrategy[Any]:
    return st.sampled_from([usual, usual, *others])


HOOKS: st.SearchStrategy[Any] = _mostly("", "plain", "awaits")
ROLES = st.builds(
    Role,
    overflow=st.sampled_from(["block", "block", "reject", "drop_newest", "drop_oldest"]),
    mailbox=st.sampled_from([1, 2, 2, 3, 64]),
    recover=st.sampled_from(["fresh", "committed"]),
    keep_mailbox=st.sampled_from([True, True, False]),
    redeliver=st.sampled_from([0, 1, 2]),
    turn_limit=_mostly(math.inf, 2.0),
    runs=_mostly(64, 1),
    shutdown=_mostly(5.0, 1.0),
    on_error=_mostly("log", "log", "stop"),
    subscribes=st.booleans(),
    starts=HOOKS,
    stops=HOOKS,
    lives=st.sampled_from([False, False, True]),
    bad_starts=_mostly((), (2,), (2, 3)).map(frozenset),
    bad_leaves=_mostly((), (1,), (2,)).map(frozenset),
    bad_stop=st.sampled_from([False, False, True]),
)
