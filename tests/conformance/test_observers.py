"""Section 10 of the rules: what observers are told, when, and what they may do."""

from __future__ import annotations

import logging
from collections.abc import Callable

import pytest
import trio

import trido
from tests.conformance.kit import notation, run, settle, states
from tests.conformance.stage import (
    Log,
    Player,
    Starter,
    cleaning,
    errors_of,
    fails_when_stopped,
    spec,
    stubborn,
    swallows,
)
from trido import events


class _Books:
    """Follows every child by its events alone, and compares with what is read at each event."""

    def __init__(self) -> None:
        self.sup: trido.Supervisor | None = None
        self.running: set[str] = set()
        self.checked = 0

    def __call__(self, event: events.Event) -> None:
        if len(event.path) > 1:
            return
        if isinstance(event, events.ChildStarted):
            self.running.add(event.id)
        elif isinstance(event, events.ChildStopped | events.ChildEnded):
            self.running.discard(event.id)
        if self.sup is not None:
            self._compare(self.sup, event)

    def _compare(self, sup: trido.Supervisor, event: events.Event) -> None:
        self.checked += 1
        alive = {
            child.id for child in sup.children() if child.state in ("running", "stopping", "zombie")
        }
        assert alive == self.running, notation(event)
        assert sup.counts().active == len(alive)
        assert sup.counts().specs == len(sup.children())
        if isinstance(event, events.ChildStarted):
            assert sup[event.id].state == "running"
            assert sup[event.id].incarnation == event.incarnation
        elif isinstance(event, events.SupervisorEnded):
            assert not alive


def test_reading_agrees_with_every_event() -> None:
    async def scenario() -> None:
        books, log = _Books(), Log()
        crashing, failing = Player(), Starter(None, ValueError(), ValueError(), None)
        async with trido.open_supervisor(
            spec("a", swallows),
            spec("b", crashing.run),
            spec("c", failing.run),
            spec("d", stubborn, shutdown=1.0),
            spec("t", restart="temporary"),
            trido.SupervisorSpec(spec("x"), id="inner"),
            strategy="one_for_all",
            max_restarts=10,
            observers=(books, log),
        ) as sup:
            books.sup = sup
            await settle()
            crashing.end(ValueError())
            await trio.sleep(20)
            await sup.stop_child("b")
            await sup.restart_child("b")
            await sup.start_child(spec("n", restart="temporary"))
            await sup.stop_child("n")
        assert books.checked > 20
        assert not any(isinstance(event, events.ObserverFailed) for event in log.events)

    run(scenario)


def test_stop_from_an_observer_takes_effect_after_it_returns() -> None:
    async def scenario() -> None:
        log = Log()
        told: list[str] = []
        sups: list[trido.Supervisor] = []

        def stopper(event: events.Event) -> None:
            told.append(f"({notation(event)}")
            if notation(event) == "S n api":
                sups[0].stop()
                assert states(sups[0]) == "a running 1, n running 1"
            told.append(")")

        async with trido.open_supervisor(spec("a"), observers=(stopper, log)) as sup:
            sups.append(sup)
            await sup.start_child(spec("n"))
            await sup.wait()
        assert log.lines == ["S a", "S n api", "K n", "K a", "SUP shutdown"]
        assert told[1::2] == [")"] * 5

    run(scenario)


def test_stop_from_an_observer_in_a_crash_prevents_the_restart_or_follows_it() -> None:
    async def scenario() -> None:
        log, player = Log(), Player()
        sups: list[trido.Supervisor] = []

        def stopper(event: events.Event) -> None:
            if isinstance(event, events.ChildEnded):
                sups[0].stop()

        async with trido.open_supervisor(
            spec("a"), spec("b", player.run), observers=(stopper, log)
        ) as sup:
            sups.append(sup)
            await settle()
            player.end(ValueError())
            await sup.wait()
        # Both are orders that OTP can give; in both the crash is reported and all is stopped.
        assert log.lines[2] == "E b ValueError"
        assert log.lines[-2:] == ["K a", "SUP shutdown"]
        assert states(sup) in ("a stopped 1, b stopped 1", "a stopped 1, b stopped 2")

    run(scenario)


def test_a_failing_observer_is_removed_and_the_others_are_told() -> None:
    async def scenario() -> None:
        log = Log()
        error = ValueError("observer")
        calls: list[str] = []

        def failing(event: events.Event) -> None:
            calls.append(notation(event))
            if len(calls) == 2:
                raise error

        async with trido.open_supervisor(spec("a"), spec("b"), spec("c"), observers=(failing, log)):
            pass
        assert calls == ["S a", "S b"]
        assert log.lines == [
            *["S a", "S b", "OBSERVER ValueError", "S c", "K c", "K b", "K a", "SUP shutdown"],
        ]
        failed = log.only("OBSERVER ValueError")
        assert failed.error is error
        assert failed.observer is failing
        assert (failed.path, failed.id) == (("root",), "root")

    run(scenario)


@pytest.mark.parametrize("kind", [KeyboardInterrupt, SystemExit])
def test_an_observer_that_raises_something_fatal(kind: type[BaseException]) -> None:
    error = kind("observer")
    log = Log()

    def fatal(event: events.Event) -> None:
        if notation(event) == "S n api":
            raise error

    async def scenario() -> None:
        log.clear()
        async with trido.open_supervisor(spec("a", cleaning, 1.0), observers=(fatal, log)) as sup:
            await sup.start_child(spec("n"))
            await trio.sleep_forever()

    for left in errors_of(scenario):
        assert left is error
        assert log.timed == ["S a @0", "S n api @0", "K n @0", "K a @1", "SUP fatal @1"]


def test_observers_get_the_whole_subtree_in_order() -> None:
    async def scenario() -> None:
        log, player = Log(), Player()
        deep = trido.SupervisorSpec(spec("x", player.run), id="deep", max_restarts=0)
        inner = trido.SupervisorSpec(spec("b"), deep, id="inner")
        async with trido.open_supervisor(spec("a"), inner, id="top", observers=(log,)):
            await settle()
            player.end(ValueError())
            await settle()
        assert log.lines == [
            *["S a", "S b", "S x", "S deep", "S inner"],
            *["E x ValueError", "R child_terminated(x, ValueError)", "R shutdown(x, limit)"],
            *["SUP deep limit", "E deep normal RestartLimitExceeded"],
            "R child_terminated(deep, normal RestartLimitExceeded)",
            *["S x", "S deep restart", "K x", "SUP deep shutdown", "K deep", "K b"],
            *["SUP inner shutdown", "K inner", "K a", "SUP shutdown"],
        ]
        paths = {event.id: event.path for event in log.events}
        assert paths["a"] == paths["inner"] == ("top",)
        assert paths["b"] == ("top", "inner")
        assert paths["x"] == ("top", "inner", "deep")
        ends = [event for event in log.events if isinstance(event, events.SupervisorEnded)]
        assert [event.id for event in ends] == ["deep", "deep", "inner", "top"]
        assert [event.path[-1] for event in ends] == ["deep", "deep", "inner", "top"]

    run(scenario)


def test_events_are_frozen() -> None:
    async def scenario() -> None:
        log = Log()
        async with trido.open_supervisor(spec("a"), observers=(log,)):
            await trio.sleep(1)
        start, stop, _ = log.events
        assert (start.path, start.id, start.incarnation, start.time) == (("root",), "a", 1, 0)
        assert stop.time == 1
        with pytest.raises(AttributeError):
            start.time = 3  # type: ignore[misc]

    run(scenario)


# The log ----------------------------------------------------------------------------------------


def _texts(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.name == "trido"]


def _logged(
    caplog: pytest.LogCaptureFixture, scenario: Callable[[], object], level: int = logging.INFO
) -> str:
    with caplog.at_level(level, logger="trido"):
        scenario()
    return "\n".join(_texts(caplog))


def test_the_log_names_child_run_policy_and_next_step(caplog: pytest.LogCaptureFixture) -> None:
    async def scenario() -> None:
        player = Player()
        async with trido.open_supervisor(spec("feed", player.run), strategy="one_for_all"):
            await settle()
            player.end(ValueError("boom"))
            await settle()

    text = _logged(caplog, lambda: run(scenario, seed=0), logging.ERROR)
    assert text.count("\n") == 0
    for word in ("child 'feed'", "run 1", "boom", "permanent", "restart", "one_for_all"):
        assert word in text


def test_the_log_says_who_the_limit_escalates_to(caplog: pytest.LogCaptureFixture) -> None:
    async def scenario() -> None:
        player = Player()
        inner = trido.SupervisorSpec(
            spec("feed", player.run), id="inner", restart="transient", max_restarts=3
        )
        async with trido.open_supervisor(inner):
            for _ in range(4):
                await settle()
                player.end(ValueError())
            await settle()

    text = _logged(caplog, lambda: run(scenario, seed=0))
    wanted = "child 'feed' (run 4) crashed 4 times in 5 s; limit is 3: escalating to 'root'"
    assert wanted in text.splitlines()


def test_the_log_is_there_without_observers_and_carries_the_traceback(
    caplog: pytest.LogCaptureFixture,
) -> None:
    error = ValueError("in cleanup")

    async def scenario() -> None:
        async with trido.open_supervisor(spec("a", fails_when_stopped, error)):
            await settle()

    text = _logged(caplog, lambda: run(scenario, seed=0))
    assert "child 'a'" in text
    assert any(record.exc_info and record.exc_info[1] is error for record in caplog.records)


def test_the_log_tells_of_failed_observers(caplog: pytest.LogCaptureFixture) -> None:
    def failing(event: events.Event) -> None:
        raise ValueError("observer")

    async def scenario() -> None:
        async with trido.open_supervisor(spec("a"), observers=(failing,)):
            pass

    text = _logged(caplog, lambda: run(scenario, seed=0), logging.ERROR)
    assert "observer" in text
