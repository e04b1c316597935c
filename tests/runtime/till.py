"""Directives of one's own, executors that note what they do, and actions that wait."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any, Literal

import trio
from attrs import frozen

import trido
from tests.runtime.desk import Log, agent


@frozen
class Charge(trido.Directive):
    """One that takes so many seconds, and fails by ``error`` if there is one."""

    what: str
    seconds: float = 0.0
    error: BaseException | None = None


@frozen
class Refund:
    """One that derives from nothing."""

    what: str


class Till:
    """An executor: its log says what it began (<), did (no sign), and left off (!)."""

    def __init__(self) -> None:
        self.log: list[str] = []
        self.deliveries: list[trido.Delivery] = []

    @property
    def lines(self) -> str:
        return " ".join(self.log)

    async def charge(self, charge: Charge, delivery: trido.Delivery) -> None:
        self.log.append(f"<{charge.what}")
        self.deliveries.append(delivery)
        try:
            await trio.sleep(charge.seconds)
        except trio.Cancelled:
            self.log.append(f"!{charge.what}")
            raise
        if charge.error is not None:
            raise charge.error
        self.log.append(charge.what)

    async def refund(self, refund: Refund) -> None:
        self.log.append(refund.what)


@asynccontextmanager
async def shop(**options: Any) -> AsyncGenerator[tuple[trido.Runtime, trido.AgentRef[Log], Till]]:
    """A runtime with a till, and an agent in it."""
    till = Till()
    executors = {Charge: till.charge, Refund: till.refund}
    async with trido.open_runtime(executors=executors) as rt:
        definition = agent(**options.pop("settings", {}))
        yield rt, await rt.start_agent(definition, id="a", **options), till


@frozen
class Job:
    """What an action is to do: wait, then fail, or give its name back."""

    name: str = "job"
    seconds: float = 1.0
    error: BaseException | None = None


class Jobs:
    """An action whose log says what began (<), was done (no sign), and was cancelled (!)."""

    def __init__(self) -> None:
        self.log: list[str] = []

        @trido.action("work")
        async def work(data: Job) -> str:
            self.log.append(f"<{data.name}")
            try:
                await trio.sleep(data.seconds)
            except trio.Cancelled:
                self.log.append(f"!{data.name}")
                raise
            if data.error is not None:
                raise data.error
            self.log.append(data.name)
            return data.name

        self.work = work

    @property
    def lines(self) -> str:
        return " ".join(self.log)

    def run(self, name: str, seconds: float = 1.0, **fields: Any) -> trido.Run:
        """A `Run` of it, whose result is noted."""
        job = Job(name, seconds, fields.pop("fails", None))
        return trido.Run(self.work, job, **{"ok": "note", **fields})


class Failed:
    """An error policy that notes what failed, and by what."""

    def __init__(self) -> None:
        self.errors: list[trido.DirectiveFailed] = []

    def __call__(self, error: trido.DirectiveFailed) -> Literal["log"]:
        self.errors.append(error)
        return "log"

    @property
    def causes(self) -> list[BaseException | None]:
        return [error.__cause__ for error in self.errors]

    @property
    def kinds(self) -> list[type]:
        return [type(cause) for cause in self.causes]


async def leak() -> None:
    """Raise a Cancelled that nobody asked for."""
    leaked: list[BaseException] = []
    with trio.CancelScope() as scope:
        scope.cancel()
        try:
            await trio.lowlevel.checkpoint()
        except trio.Cancelled as error:
            leaked.append(error)
            raise
    raise leaked[0]
