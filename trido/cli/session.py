"""One run of the demo: two supervisors, and what is told about what happens under them.

The operator's supervisor has what belongs to the demo: the show, and the till that calls the
billing agent. The desk's supervisor is the application's. Nothing here looks after the agents.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, Literal, TypeAlias

import trio
from attrs import define, field, frozen
from rich.console import Console
from trio.lowlevel import enable_ki_protection

from trido.cli.application import Application
from trido.cli.durable_post import DurablePost
from trido.cli.figures import Figures
from trido.cli.ledger import Ledger
from trido.cli.lives import Lives
from trido.cli.messages import Messages
from trido.cli.panel import AgentPicture, Snapshot, milliseconds
from trido.cli.post import Post, words
from trido.cli.report import Result
from trido.cli.show import Show
from trido.cli.source import Source
from trido.journal import JournalError
from trido.runtime import AgentRef, Runtime
from trido.supervision import (
    ChildSpec,
    RestartLimitExceeded,
    Supervisor,
    SupervisorSpec,
    events,
    open_supervisor,
)
from trido.supervision.policy import Strategy

WATCHED: Final = "support"

Ending: TypeAlias = Literal["finished", "gave up", "Ctrl-C", "SIGTERM"]

_EXIT_CODES: Final[dict[Ending, int]] = {"finished": 0, "gave up": 1, "Ctrl-C": 130, "SIGTERM": 143}


@frozen(kw_only=True)
class Options:
    """What the command was asked for."""

    input: Path
    strategy: Strategy = "one_for_one"
    max_restarts: int = 30
    speed: float = 1.0
    """Times the usual speed; inf for as fast as it goes."""
    seed: int = 0
    json: bool = False
    durable: Path | None = None
    """The journal in which it is kept, so that it can be killed and begun again."""


@define(eq=False)
class Session:
    """Runs the desk on an input, shows it, and says how it went."""

    options: Options
    application: Application
    source: Source
    console: Console
    ledger: Ledger = field(factory=Ledger, init=False)
    figures: Figures = field(factory=lambda: Figures(WATCHED), init=False)
    messages: Messages = field(factory=Messages, init=False)
    lives: Lives | None = None
    """Where they are kept, if the demo is to have several."""
    post: Post | DurablePost = field(init=False)
    desk: Supervisor | None = field(default=None, init=False)
    ending: Ending = field(default="SIGTERM", init=False)
    """How it ended; until something else is known, by being cancelled."""
    gave_up: str = field(default="", init=False)
    _refs: dict[str, AgentRef[object]] = field(factory=dict, init=False)
    _began: float = field(default=0.0, init=False)
    _seconds: float = field(default=0.0, init=False)

    def __attrs_post_init__(self) -> None:
        given: dict[str, Any] = {
            "source": self.source,
            "ledger": self.ledger,
            "figures": self.figures,
            "say": self.say,
            "speed": self.options.speed,
            "seed": self.options.seed,
        }
        lives = self.lives
        self.post = Post(**given) if lives is None else DurablePost(**given, lives=lives)

    async def run(self) -> None:
        """Run it to its end, and stop in order."""
        self._began = trio.current_time()
        show = Show(self.console, self.messages, self.snapshot)
        try:
            async with open_supervisor(ChildSpec(show.run, id="show"), id="demo") as operator:
                if self.lives is None:
                    await self._run_desk(operator, None)
                else:
                    async with self.lives.opened(self.application.AGENTS) as runtime:
                        await self._run_desk(operator, runtime)
        finally:
            self._seconds = trio.current_time() - self._began

    async def _run_desk(self, operator: Supervisor, runtime: Runtime | None) -> None:
        spec = self.application.desk(self.options.strategy, self.options.max_restarts, runtime)
        try:
            async with open_supervisor(spec=spec, observers=(self.hear,)) as self.desk:
                await self._work(operator, self.desk)
            self.ending = "finished"
        except* RestartLimitExceeded as group:
            self.ending, self.gave_up = "gave up", str(group.exceptions[0])

    async def _work(self, operator: Supervisor, desk: Supervisor) -> None:
        refs: dict[str, AgentRef[object]] = {
            kind: desk[id].value for kind, id in self.application.ADDRESSES.items()
        }
        self._refs = {ref.id: ref for ref in refs.values()}
        try:
            await self.post.work(operator, refs)
        except JournalError:
            desk.kill_children()  # they would wait for the journal, each for its whole grace
            raise
        for child in desk.children():
            if child.state == "restarting":
                await desk[child.id].wait_running()

    # What happens -----------------------------------------------------------------------------

    @enable_ki_protection
    def hear(self, event: events.Event) -> None:
        """Observe the desk."""
        self.post.look()
        took = self.figures.hear(event)
        match event:
            case (
                events.ChildEnded(outcome="crashed", reason=reason)
                | events.ChildStopped(outcome="crashed", reason=reason)
            ):
                self.say(
                    "crash", f"{event.id}, run {event.incarnation}{self._why(event.id, reason)}"
                )
            case events.ChildStarted(cause="restart"):
                how = "with the others" if took is None else f"after {milliseconds(1000 * took)}"
                self.say("restart", f"{event.id} is back {how}, run {event.incarnation}")
            case events.SupervisorEnded(outcome="limit", reason=reason):
                self.say("gave up", str(reason))
            case _:
                pass

    def _why(self, id: str, reason: BaseException | None) -> str:
        where = ""
        if id == WATCHED and self.post.crashed_on is not None:
            where, self.post.crashed_on = f", on line {self.post.crashed_on}", None
        return where if reason is None else f"{where}: {words(reason)}"

    def say(self, kind: str, text: str) -> None:
        """Have a message shown."""
        self.messages.say(trio.current_time() - self._began, kind, text)

    def snapshot(self) -> Snapshot | None:
        """What it all looks like now."""
        desk, options = self.desk, self.options
        if desk is None:
            return None
        return Snapshot(
            time=trio.current_time() - self._began,
            supervisor=desk.id,
            strategy=options.strategy,
            limit=_limit(desk.spec),
            in_window=desk.statistics().restarts_in_window,
            state="stopped" if desk.has_ended else "stopping" if desk.is_stopping else "running",
            agents=tuple(_agents(desk, self._refs)),
            balance=self.ledger.balance(),
            figures=self.figures,
            progress=self.source.progress,
        )

    # The end ----------------------------------------------------------------------------------

    def result(self) -> Result:
        """How it went, once it is over."""
        why = "the supervisor gave up" if self.gave_up else f"stopped by {self.ending}"
        self.post.give_back(why, rest=self.ending == "gave up")
        code = _EXIT_CODES[self.ending]
        if code == 0 and not self._is_sound:
            code = 1
        return Result(
            ledger=self.ledger,
            figures=self.figures,
            seconds=self._seconds,
            exit_code=code,
            problem=self._problem(),
            life=self.lives.life if self.lives else None,
        )

    @property
    def _is_sound(self) -> bool:
        agrees = self.lives is None or self.lives.life is None or self.lives.life.agrees
        return bool(self.ledger.balance().is_clean and self.source.trouble is None and agrees)

    def _problem(self) -> str | None:
        if self.ending == "finished":
            return self.source.trouble
        return self.gave_up or f"Stopped by {self.ending}, in order."


def _limit(spec: SupervisorSpec) -> str:
    often = "always" if spec.max_restarts == math.inf else f"{spec.max_restarts:g}"
    return f"{often} restarts in {spec.max_seconds:g} s"


def _agents(desk: Supervisor, refs: Mapping[str, AgentRef[object]]) -> list[AgentPicture]:
    pictures = []
    for child in desk.children():
        if child.id not in refs:
            continue  # the desk is being opened
        ref = refs[child.id]
        pictures.append(
            AgentPicture(
                id=child.id,
                state=child.state,
                incarnation=child.incarnation,
                restarts=child.restarts,
                mailbox=ref.status().queued,
                capacity=ref.place.settings.mailbox,
            )
        )
    return pictures
