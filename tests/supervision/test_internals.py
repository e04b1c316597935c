"""What no case reaches: internal failures, and corners of the parts that stand alone."""

from __future__ import annotations

import functools
import logging
import math
import operator
import signal
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
import trio
import trio.testing

import trido
from trido.supervision.alarms import Alarms
from trido.supervision.decision import Machine
from trido.supervision.messages import Fail, RunEnded, Stop
from trido.supervision.place import as_place
from trido.supervision.records import Settings
from trido.supervision.shields import break_shields


class BrokenError(Exception):
    """Our own code fails."""


def broken_on(kind: type, monkeypatch: pytest.MonkeyPatch, path: tuple[str, ...]) -> None:
    handle = Machine.handle

    def handle_or_break(self: Machine, event: object) -> object:
        if isinstance(event, kind) and self.settings.path == path:
            raise BrokenError
        return handle(self, event)  # type: ignore[arg-type]  # as it came

    monkeypatch.setattr(Machine, "handle", handle_or_break)


def in_virtual_time(main: Callable[[], Awaitable[None]]) -> None:
    trio.run(main, clock=trio.testing.MockClock(autojump_threshold=0))


async def idle() -> None:
    await trio.sleep_forever()


async def shielded() -> None:
    with trio.CancelScope(shield=True):
        await trio.sleep_forever()


async def crash_at_1() -> None:
    await trio.sleep(1)
    raise ValueError


def test_a_broken_supervisor_kills_its_children_and_says_so(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The body is cancelled, callers are told, and nothing is left, shielded or not."""
    broken_on(RunEnded, monkeypatch, ("root",))

    async def main() -> None:
        specs = [trido.ChildSpec(fn) for fn in (shielded, idle, crash_at_1)]
        sup: trido.Supervisor | None = None
        started = trio.current_time()
        with pytest.raises(BrokenError):
            async with trido.open_supervisor(*specs) as supervisor:
                sup = supervisor
                await trio.sleep_forever()
        assert trio.current_time() - started < 2
        assert sup is not None
        with pytest.raises(trido.SupervisorStopped):
            await sup.start_child(idle, id="more")

    in_virtual_time(main)


def test_callers_learn_what_broke_the_supervisor(monkeypatch: pytest.MonkeyPatch) -> None:
    broken_on(RunEnded, monkeypatch, ("root",))

    async def main() -> None:
        with pytest.RaisesGroup(BrokenError, trido.SupervisorStopped) as failed:
            async with trido.open_supervisor(trido.ChildSpec(idle)) as sup:
                await sup.stop_child("idle")
        stopped = failed.value.exceptions[1]
        assert isinstance(stopped.__cause__, BrokenError)

    in_virtual_time(main)


def test_a_broken_supervisor_in_another_is_a_crash_there(monkeypatch: pytest.MonkeyPatch) -> None:
    broken_on(RunEnded, monkeypatch, ("root", "inner"))

    async def main() -> None:
        inner = trido.SupervisorSpec(trido.ChildSpec(crash_at_1), id="inner")
        async with trido.open_supervisor(inner) as sup:
            await sup["inner"].wait_running(after=1)
            assert isinstance(sup["inner"].last_crash, BrokenError)

    in_virtual_time(main)


def test_a_block_that_breaks_leaves_nothing_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    def stop(self: trido.Supervisor, *, cancelled: bool = False) -> None:
        raise BrokenError

    async def main() -> None:
        with pytest.raises(BrokenError):
            async with trido.open_supervisor(trido.ChildSpec(shielded)):
                monkeypatch.setattr(trido.Supervisor, "stop", stop)

    in_virtual_time(main)


def test_what_is_too_late_changes_nothing() -> None:
    machine = Machine(Settings(path=("root",)))
    list(machine.handle(Stop(now=0.0)))
    assert machine.phase == "ended"
    assert list(machine.handle(Fail(now=0.0, error=SystemExit()))) == []


def test_cleared_alarms_do_not_pile_up() -> None:
    alarms = Alarms()
    for number in range(10_000):
        alarms.set("a", "grace", 1e6 + number)
    assert alarms.next() == 1e6 + 9_999
    assert len(alarms._heap) < 200
    assert alarms.pop(math.inf) == ("a", "grace")
    assert alarms.next() == math.inf


def test_shields_are_broken_where_no_supervisor_was_yet() -> None:
    async def main() -> None:
        with trio.CancelScope() as scope, trio.CancelScope(shield=True) as shield:
            scope.cancel()
            break_shields(scope)
            assert not shield.shield
            await trio.sleep_forever()

    trio.run(main)


def test_nobody_knows_how_to_run_it() -> None:
    with pytest.raises(trido.SpecError, match="a spec"):
        as_place("feed")


def test_observers_are_functions() -> None:
    with pytest.raises(trido.SpecError, match="observers=3"):
        trido.open_supervisor(observers=(3,))  # type: ignore[arg-type]  # that is the point


async def test_a_child_without_a_run_has_no_heart() -> None:
    async with trido.open_supervisor(trido.ChildSpec(idle)) as sup:
        child = sup["idle"]
        await sup.stop_child(child)
        child.beat()
        assert child.state == "stopped"


async def test_a_spec_is_started_as_it_is() -> None:
    async with trido.open_supervisor() as sup:
        with pytest.raises(TypeError, match="no other arguments"):
            await sup.start_child(trido.ChildSpec(idle), restart="temporary")  # type: ignore[call-overload]


async def test_generated_ids_leave_out_those_that_are_taken() -> None:
    async with trido.open_dynamic_supervisor(idle) as sup:
        await sup.start_child(id="idle-1")
        assert (await sup.start_child()).id == "idle-2"


def test_a_dynamic_supervisor_in_another_has_an_id_and_is_permanent() -> None:
    with pytest.raises(trido.SpecError, match="given for a supervisor in another"):
        trido.SupervisorSpec(trido.DynamicSupervisorSpec(idle))
    policy = trido.DynamicSupervisorSpec(idle, id="pool", restart="temporary").policy
    assert (policy.restart, policy.shutdown) == ("permanent", math.inf)


class Silent:
    """Says nothing of what it takes."""

    __signature__ = "none"

    async def __call__(self, *args: object) -> None: ...


async def takes_two(one: int, two: int) -> None: ...


async def announces(number: int, *, task_status: trio.TaskStatus[None]) -> None: ...


@pytest.mark.parametrize(
    ("fn", "args"),
    [(takes_two, (1,)), (takes_two, (1, 2, 3)), (announces, ()), (announces, (1, 2))],
)
def test_wrong_arguments_are_found_at_definition(
    fn: Callable[..., Awaitable[None]], args: tuple[int, ...]
) -> None:
    with pytest.raises(trido.SpecError, match=f"what {fn.__name__}"):
        trido.ChildSpec(fn, *args)


def test_readiness_by_hand() -> None:
    assert not trido.ChildSpec(Silent(), 1, id="silent").signals_ready
    assert trido.ChildSpec(Silent(), 1, id="silent", ready="started").signals_ready
    bound = functools.partial(announces, task_status=trio.TASK_STATUS_IGNORED)
    assert not trido.ChildSpec(bound, 1).signals_ready
    with pytest.raises(trido.SpecError, match="without a task_status"):
        trido.ChildSpec(takes_two, 1, 2, ready="started")
    with pytest.raises(trido.SpecError, match="an async function"):
        not_async: Any = operator.attrgetter("x")
        trido.ChildSpec(not_async, id="getter")


def test_backoff_is_never_too_large_for_a_float() -> None:
    assert trido.Backoff(max=7.0).delay(10_000) == 7.0


def test_the_log_says_when_a_restart_is_due(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, logger="trido")

    async def main() -> None:
        spec = trido.ChildSpec(crash_at_1, backoff=trido.Backoff(min=2.0))
        async with trido.open_supervisor(spec):
            await trio.sleep(3)

    in_virtual_time(main)
    assert "child 'crash_at_1' (run 2) of 'root': restart attempt 2 in 2 s" in caplog.text


@pytest.mark.parametrize("again", [False, True])
def test_sigterm_stops_in_order_and_a_second_kills(*, again: bool) -> None:
    cleaned: list[str] = []

    async def careful() -> None:
        try:
            await trio.sleep_forever()
        finally:
            with trido.cleanup():
                await trio.sleep(0.2)
                cleaned.append("up")

    async def main() -> None:
        async with trido.open_supervisor(trido.ChildSpec(careful)):
            await trio.sleep(0.01)
            signal.raise_signal(signal.SIGTERM)
            try:
                await trio.sleep_forever()
            finally:
                if again:
                    signal.raise_signal(signal.SIGTERM)

    assert trido.run(main) is None
    assert cleaned == ([] if again else ["up"])


def test_outside_the_main_thread_it_is_plain_trio() -> None:
    async def answer() -> int:
        return 42

    async def main() -> int | None:
        return await trio.to_thread.run_sync(trido.run, answer)

    assert trio.run(main) == 42


def test_a_result_that_comes_in_spite_of_sigterm_is_kept() -> None:
    async def main() -> str:
        signal.raise_signal(signal.SIGTERM)
        with trio.CancelScope(shield=True):
            await trio.sleep(0.05)
        return "done"

    assert trido.run(main) == "done"
