"""Who hears what: the bus of a tree, and how a run's word becomes an input of its supervisor."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

import pytest

import trido
from trido import events
from trido.supervision import messages
from trido.supervision.bus import Bus
from trido.supervision.child import Child
from trido.supervision.log import About
from trido.supervision.messages import End
from trido.supervision.policy import ChildPolicy
from trido.supervision.records import Record, Settings
from trido.supervision.report import RunReport

ABOUT = About(Settings(path=("root", "inner")), ChildPolicy())


def started(id: str) -> events.Event:
    return events.ChildStarted(
        path=("root", "inner"), id=id, incarnation=2, time=7.0, cause="start"
    )


def raises(error: BaseException) -> Callable[[events.Event], object]:
    def observer(event: events.Event) -> None:
        raise error

    return observer


async def hears(event: events.Event) -> None: ...


class Both(list[Any]):
    """One that hears, and many."""

    def __call__(self, event: events.Event) -> None: ...


BOTH = Both()


def test_every_observer_hears_every_event_in_order() -> None:
    heard: list[object] = []
    bus = Bus(
        (lambda event: heard.append(("one", event)), lambda event: heard.append(("two", event)))
    )
    first, second = started("a"), started("b")
    assert bus.tell(first, ABOUT) is None
    assert bus.tell(second, ABOUT) is None
    assert heard == [("one", first), ("two", first), ("one", second), ("two", second)]


def test_an_observer_that_fails_is_removed_and_the_others_are_told_of_it(
    caplog: pytest.LogCaptureFixture,
) -> None:
    heard: list[events.Event] = []
    error = ValueError("broken")
    bad = raises(error)
    bus = Bus((bad, heard.append))
    event = started("a")
    with caplog.at_level(logging.INFO, "trido"):
        assert bus.tell(event, ABOUT) is None
    failed = events.ObserverFailed(
        path=("root",), id="root", incarnation=1, time=7.0, observer=bad, error=error
    )
    assert heard == [event, failed]
    assert len(caplog.records) == 2
    bus.tell(started("b"), ABOUT)
    assert heard[2:] == [started("b")]


def test_what_an_observer_raises_that_is_no_exception_is_handed_back_the_first_of_it() -> None:
    heard: list[events.Event] = []
    first, second = SystemExit(1), KeyboardInterrupt()
    bus = Bus((raises(first), heard.append, raises(second)))
    assert bus.tell(started("a"), ABOUT) is first
    assert heard == [started("a")]
    assert bus.tell(started("b"), ABOUT) is first


def test_an_event_that_nobody_but_the_log_hears_is_logged(
    caplog: pytest.LogCaptureFixture,
) -> None:
    bus = Bus(())
    assert not bus.has_observers
    with caplog.at_level(logging.INFO, "trido"):
        assert bus.hears_all
        assert bus.tell(started("a"), ABOUT) is None
    assert len(caplog.records) == 1
    assert "'a'" in caplog.text
    with caplog.at_level(logging.WARNING, "trido"):
        assert not bus.hears_all
        assert Bus((print,)).hears_all


@pytest.mark.parametrize(
    ("observers", "value", "allowed"),
    [
        (print, print, "a sequence of functions of one event"),
        (5, 5, "a sequence of functions of one event"),
        (BOTH, BOTH, "a sequence of functions of one event"),
        ((print, 5), 5, "plain functions of one event"),
        ((hears,), hears, "plain functions of one event"),
    ],
)
def test_what_is_no_observer_is_refused(observers: Any, value: object, allowed: str) -> None:
    with pytest.raises(trido.SpecError) as caught:
        Bus(observers)
    error = caught.value
    assert (error.field, error.value, error.allowed) == ("observers", value, allowed)


class Listener:
    """What a report needs of a supervisor."""

    path = ("root", "inner")

    def __init__(self) -> None:
        self.told: list[messages.Input] = []

    def now(self) -> float:
        return 7.0

    def tell(self, event: messages.Input) -> None:
        self.told.append(event)


def report_of(run: int) -> tuple[Listener, Child[Any], RunReport]:
    listener: Any = Listener()
    child: Child[Any] = Child(listener, None, Record("a", ChildPolicy()))  # type: ignore[arg-type]  # wrong on purpose
    return listener, child, RunReport(listener, child, run)


def test_a_report_tells_of_its_run_and_of_no_other() -> None:
    listener, child, report = report_of(3)
    error = ValueError("silent")
    assert report.name == "root/inner/a"
    assert report.child is child
    report.ready("value")
    report.failing(error)
    report.unkillable()
    assert listener.told == [
        messages.RunReady(now=7.0, id="a", run=3, value="value"),
        messages.RunFailing(now=7.0, id="a", run=3, error=error),
        messages.RunStuck(now=7.0, id="a", run=3),
    ]
    report.ready()
    assert listener.told[-1] == messages.RunReady(now=7.0, id="a", run=3, value=None)


def test_the_latest_run_that_said_it_is_ready_is_remembered() -> None:
    _, child, report = report_of(3)
    report.ready()
    assert child.announced == 3
    child.announced = 4
    report.ready()
    assert child.announced == 4


def test_a_report_of_the_end_is_the_last_and_brings_a_random_number() -> None:
    listener, child, report = report_of(3)
    child.run = object()  # type: ignore[assignment]  # wrong on purpose
    assert report.is_over is False
    end = End("normal")
    for _ in range(2):
        report.ended(end)
    assert report.is_over is True
    assert child.run is None
    first, second = listener.told
    assert isinstance(first, messages.RunEnded)
    assert (first.now, first.id, first.run, first.end) == (7.0, "a", 3, end)
    assert 0 <= first.u < 1
    assert isinstance(second, messages.RunEnded)
    assert first.u != second.u
