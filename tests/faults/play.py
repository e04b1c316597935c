"""One tree of judged supervisors, played in one guest run."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from typing import Any, ClassVar, cast

import trio
from attrs import define

import trido
from tests.faults.judged import JudgedMachine
from tests.faults.troupe import Cast, Part, Path, Player, Stage
from trido.supervision.bus import Observer
from trido.supervision.records import Record, Settings
from trido.supervision.supervisor import SupervisorBase
from trido.testing.guest import GuestRun

BASE_TASKS = 4


@define(eq=False)
class Caller:
    """Somebody who asked for something."""

    asked: str
    scope: trio.CancelScope
    answer: str = ""


class Play:
    """One tree in one run."""

    current: ClassVar[Play]

    def __init__(self, cast: Cast, seed: int) -> None:
        Play.current = self
        self.stage = Stage()
        self.machines: list[JudgedMachine] = self.stage.machines
        self.callers: list[Caller] = []
        # With observers a supervisor does all its work itself, without them much of it on the spot.
        self.observers: list[Observer] = [lambda event: None] if seed % 2 else []
        self.supervisor: trido.Supervisor | None = None
        self.body_error: BaseException | None = None
        self.left: BaseException | None = None
        self.body_raised = False
        self.is_over = self.has_ended = False
        self.cast = cast
        self.run = GuestRun(self.main, seed=seed)
        self.after()

    @classmethod
    def new_machine(cls, settings: Settings, children: Iterable[Record]) -> JudgedMachine:
        """Stands in for `Machine` where supervisors make theirs."""
        return JudgedMachine(settings, children, cls.current.stage)

    async def main(self) -> None:
        self.body, self.curtain = trio.Event(), trio.Event()
        self.outer = trio.CancelScope()
        async with trio.open_nursery() as self.nursery:
            with self.outer:
                await self.hold_block()
            self.tasks = trio.lowlevel.current_statistics().tasks_living
            await self.curtain.wait()

    async def hold_block(self) -> None:
        try:
            spec = self.cast.spec(self.stage, "root", significance=False)
            async with trido.open_supervisor(spec=spec, observers=self.observers) as sup:
                self.supervisor = sup
                await self.hold_body()
        except trio.Cancelled as error:
            self.left = error
            raise
        except BaseException as error:
            self.left = error
        finally:
            self.is_over = True

    def end(self) -> None:
        """Bring it to its end, whatever state it is in, and look at what is left."""
        self.has_ended = True
        order = self.stop_order()
        try:
            self.do(self.body.set)
            for _ in range(200):
                if self.is_over:
                    break
                for player in self.players():
                    if player.script.stop == "endures":
                        self.run.do(partial(player.end, None))
                self.sleep(1.0)
            assert self.is_over, "it does not stop"
            assert self.stage.ended[len(self.stage.ended) - len(order) :] == order
            self.check_end()
        finally:
            self.run.close(self.curtain.set)

    def check_end(self) -> None:
        assert not self.stage.alive
        assert all(caller.answer for caller in self.callers), self.callers
        for machine in self.machines:
            machine.books.balance()
        # Trio's own two, the run's main one, and whoever does what a test says.
        assert self.tasks <= BASE_TASKS, f"{self.tasks - BASE_TASKS} tasks are left"
        self.check_outcome()

    def check_outcome(self) -> None:
        """§7: what left the block."""
        error = self.machines[0].error
        problems = [one for one in (error, self.body_error if self.body_raised else None) if one]
        if len(problems) > 1:
            assert isinstance(self.left, BaseExceptionGroup)
            assert list(self.left.exceptions) == problems
        elif problems:
            assert self.left is problems[0]
        elif self.left is not None:
            assert isinstance(self.left, trio.Cancelled)
            assert self.outer.cancel_called

    def stop_order(self) -> list[Path]:
        """In which order the children that live will end; none, if much else is going on."""
        calm = all(
            machine.phase in ("running", "ended")
            and not machine.queued
            and all(one.state in ("running", "stopped") for one in machine.records.values())
            for machine in self.machines
        )
        steady = all(
            player.script.life == math.inf and player.script.stop != "endures"
            for player in self.players()
        )
        if self.supervisor is None or not (calm and steady):
            return []
        return list(reversed(list(start_order(self.supervisor))))

    def restarts_alone(self, player: Player) -> bool:
        """Whether only this one is restarted when it crashes: nobody else may notice."""
        for machine in self.machines:
            if machine.settings.path == player.path[:-1] and machine.phase == "running":
                record = machine.records.get(player.path[-1])
                limit = machine.settings.max_restarts
                return (
                    record is not None
                    and record.state == "running"
                    and machine.settings.strategy == "one_for_one"
                    and machine.settings.auto_shutdown == "never"
                    and len(machine.window) < limit
                )
        return False

    async def hold_body(self) -> None:
        await self.body.wait()
        if self.body_error is not None:
            self.body_raised = True
            raise self.body_error

    # What the machine asks ------------------------------------------------------------------

    def do(self, fn: Callable[[], object]) -> None:
        self.run.do(fn)
        self.after()

    def sleep(self, seconds: float) -> None:
        self.run.sleep(seconds)
        self.after()

    def after(self) -> None:
        """What holds whenever nothing moves."""
        for fault in self.stage.faults:
            raise fault
        assert self.run.result is None, self.run.result
        for machine in self.machines:
            for record in machine.records.values():
                self.check_run(machine, record)
        for supervisor in self.supervisors():
            machine = cast("JudgedMachine", supervisor._machine)
            assert set(supervisor._callers) == machine.books.open, "who waits, and for what"
        if self.outer.cancel_called:
            assert self.machines[0].phase in ("stopping", "ended")

    def check_run(self, machine: JudgedMachine, record: Any) -> None:
        path = (*machine.settings.path, record.id)
        if record.policy.kind == "worker" and record.live:
            assert path in self.stage.alive, f"{path} should have a run"
            assert self.stage.alive[path].incarnation == record.incarnation

    def players(self) -> list[Player]:
        return [self.stage.alive[path] for path in sorted(self.stage.alive)]

    def supervisors(self) -> list[SupervisorBase]:
        """Root first."""
        if self.supervisor is None:
            return []
        found: list[SupervisorBase] = [self.supervisor]
        for one in found:
            values = [record.value for record in one._machine.records.values()]
            found += [value for value in values if isinstance(value, SupervisorBase)]
        return found

    # Acts: synchronous, in the run -----------------------------------------------------------

    def call(self, asked: str, pick: int, part: Part) -> None:
        supervisors = self.supervisors()
        if supervisors:
            supervisor = supervisors[pick % len(supervisors)]
            caller = Caller(asked, trio.CancelScope())
            self.callers.append(caller)
            self.nursery.start_soon(self.ask, supervisor, caller, pick, part)

    async def ask(self, sup: Any, caller: Caller, pick: int, part: Part) -> None:
        ids = [*sup._machine.records, "nobody"]
        id = ids[pick // 3 % len(ids)]
        assert not caller.answer
        try:
            with caller.scope:
                if caller.asked == "start_child":
                    may = sup.spec.auto_shutdown != "never"
                    parks = sup.spec.strategy == "one_for_one"
                    await sup.start_child(
                        part.spec(self.stage, f"x{pick % 2}", parks=parks, significance=may)
                    )
                else:
                    await getattr(sup, caller.asked)(id)
                caller.answer = "done"
        except trido.TridoError as error:
            caller.answer = type(error).__name__
        if not caller.answer:
            assert caller.scope.cancelled_caught
            caller.answer = "cancelled"

    def cancel_caller(self, pick: int) -> None:
        waiting = [caller for caller in self.callers if not caller.answer]
        if waiting:
            waiting[pick % len(waiting)].scope.cancel(reason="the test says so")

    def end_player(self, pick: int, error: BaseException | None) -> None:
        players = self.players()
        if players:
            players[pick % len(players)].end(error)

    def stop(self, pick: int) -> None:
        supervisors = self.supervisors()
        if supervisors:
            supervisors[pick % len(supervisors)].stop()


def start_order(supervisor: SupervisorBase) -> Iterator[Path]:
    for record in supervisor._machine.records.values():
        if isinstance(record.value, SupervisorBase):
            yield from start_order(record.value)
        elif record.live:
            yield (*supervisor.path, record.id)
