"""What the log says of each thing that happens, how loudly, and with which error."""

from __future__ import annotations

import logging
from typing import Any, TypeAlias

import pytest

import trido
from trido import events
from trido.supervision.draw import Node, tree
from trido.supervision.log import About, log_event
from trido.supervision.policy import ChildPolicy
from trido.supervision.records import Settings

PATH = ("root", "shop")
ERROR = ValueError("100% out of stock")
WHAT = "ValueError('100% out of stock')"
CHILD = "child 'till' (run 3) of 'root/shop'"
GAVE_UP = trido.RestartLimitExceeded("shop", "till", "crashed 4 times in 5 s; limit is 3")

SETTINGS = Settings(path=PATH, strategy="rest_for_one", max_restarts=7, max_seconds=2.5)
TRANSIENT = ChildPolicy(restart="transient")
ABOUT = About(SETTINGS, TRANSIENT, restarts=True)
FOR_GOOD = About(SETTINGS, TRANSIENT)
OF_NOBODY = About(SETTINGS)
AT_THE_TOP = About(Settings(path=("root",)))

INFO, ERRORS = logging.INFO, logging.ERROR


def of(kind: type[events.Event], **fields: Any) -> events.Event:
    return kind(**{"path": PATH, "id": "till", "incarnation": 3, "time": 7.0, **fields})


def started(cause: str) -> events.Event:
    return of(events.ChildStarted, cause=cause)


def stopped(outcome: str, reason: BaseException | None = None) -> events.Event:
    return of(events.ChildStopped, outcome=outcome, reason=reason)


def ended(outcome: str, reason: BaseException | None = None) -> events.Event:
    return of(events.ChildEnded, outcome=outcome, reason=reason)


def report(context: str, outcome: str, reason: BaseException | None = None) -> events.Event:
    return of(events.SupervisorReport, context=context, outcome=outcome, reason=reason)


def over(outcome: str, reason: BaseException | None = None) -> events.Event:
    return of(events.SupervisorEnded, id="shop", outcome=outcome, reason=reason)


Case: TypeAlias = tuple[events.Event, About, int, str, BaseException | None]

CASES: list[Case] = [
    (started("start"), ABOUT, INFO, f"{CHILD} is running", None),
    (started("restart"), ABOUT, INFO, f"{CHILD} is running again, restarted", None),
    (started("api"), ABOUT, INFO, f"{CHILD} is running, as asked", None),
    (stopped("stopped"), ABOUT, INFO, f"{CHILD} stopped, as asked", None),
    (stopped("killed"), ABOUT, INFO, f"{CHILD} was killed after its grace ran out", None),
    (stopped("normal"), ABOUT, INFO, f"{CHILD} was asked to stop, and returned", None),
    (
        stopped("crashed", ERROR),
        ABOUT,
        INFO,
        f"{CHILD} was asked to stop, and failed: {WHAT}",
        None,
    ),
    (ended("normal"), ABOUT, INFO, f"{CHILD} ended normally", None),
    (ended("crashed", ERROR), ABOUT, INFO, f"{CHILD} crashed: {WHAT}", None),
    (ended("ignored"), ABOUT, INFO, f"{CHILD} has nothing to do, and does not run", None),
    (
        report("start_error", "crashed", ERROR),
        ABOUT,
        ERRORS,
        f"{CHILD} did not start: {WHAT}",
        ERROR,
    ),
    (
        report("child_terminated", "crashed", ERROR),
        ABOUT,
        ERRORS,
        f"{CHILD} crashed by {WHAT}; it is transient: restarting by 'rest_for_one'",
        ERROR,
    ),
    (
        report("child_terminated", "normal"),
        FOR_GOOD,
        ERRORS,
        f"{CHILD} ended; it is transient: not restarted",
        None,
    ),
    (
        report("child_terminated", "normal"),
        OF_NOBODY,
        ERRORS,
        f"{CHILD} ended; it is : not restarted",
        None,
    ),
    (
        report("shutdown_error", "killed"),
        ABOUT,
        ERRORS,
        f"{CHILD} outlived its grace and was killed",
        None,
    ),
    (
        report("shutdown_error", "normal"),
        ABOUT,
        ERRORS,
        f"{CHILD} returned where it should have been cancelled",
        None,
    ),
    (
        report("shutdown_error", "crashed", ERROR),
        ABOUT,
        ERRORS,
        f"{CHILD} failed while it was stopped: {WHAT}",
        ERROR,
    ),
    (
        report("shutdown", "limit", GAVE_UP),
        ABOUT,
        ERRORS,
        "child 'till' (run 3) crashed 4 times in 5 s; limit is 3: escalating to 'root'",
        GAVE_UP,
    ),
    (
        report("shutdown", "limit", GAVE_UP),
        AT_THE_TOP,
        ERRORS,
        "child 'till' (run 3) crashed 4 times in 5 s; limit is 3: 'root' gives up",
        GAVE_UP,
    ),
    (
        report("shutdown", "limit", ERROR),
        AT_THE_TOP,
        ERRORS,
        "child 'till' (run 3) : 'root' gives up",
        ERROR,
    ),
    (over("shutdown"), ABOUT, INFO, "supervisor 'root/shop' ended (shutdown)", None),
    (over("cancelled"), ABOUT, INFO, "supervisor 'root/shop' ended (cancelled)", None),
    (over("limit", ERROR), ABOUT, ERRORS, f"supervisor 'root/shop' ended (limit): {WHAT}", None),
    (over("fatal", ERROR), ABOUT, ERRORS, f"supervisor 'root/shop' ended (fatal): {WHAT}", None),
    (
        of(events.RetryScheduled, attempt=4, delay=1.5),
        ABOUT,
        INFO,
        f"{CHILD}: restart attempt 4 in 1.5 s",
        None,
    ),
    (
        of(events.ChildParked, reason=ERROR),
        ABOUT,
        ERRORS,
        f"{CHILD} needed more than 7 restarts in 2.5 s: parked until restart_child('till')",
        ERROR,
    ),
    (
        of(events.ChildUnkillable, stack="in work"),
        ABOUT,
        ERRORS,
        f"{CHILD} cannot be killed; nothing else waits for it.\nin work",
        None,
    ),
    (
        of(events.ObserverFailed, id="root", observer="books", error=ERROR),
        ABOUT,
        ERRORS,
        f"observer 'books' failed and was removed: {WHAT}",
        ERROR,
    ),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case[3])
def test_an_event_is_logged(case: Case, caplog: pytest.LogCaptureFixture) -> None:
    event, about, level, text, error = case
    with caplog.at_level(INFO, "trido"):
        log_event(event, about)
    [record] = caplog.records
    assert (record.name, record.levelno, record.getMessage()) == ("trido", level, text)
    found = None if error is None else (type(error), error, error.__traceback__)
    assert (record.exc_info or None) == found
    with caplog.at_level(level + 1, "trido"):
        log_event(event, about)
    assert len(caplog.records) == 1


def test_a_traceback_is_logged_with_its_error(caplog: pytest.LogCaptureFixture) -> None:
    try:
        raise ValueError("late")  # noqa: TRY301  # it is to have a traceback
    except ValueError as caught:
        log_event(report("start_error", "crashed", caught), ABOUT)
    assert "test_words_of_the_log.py" in caplog.text


def test_a_tree_is_drawn_a_line_each() -> None:
    leaf = Node("leaf", [Node("below")])
    drawn = tree(Node("root", [Node("one", [leaf, Node("twig")]), Node("last", [Node("end")])]))
    assert drawn.splitlines() == [
        "root",
        "├── one",
        "│   ├── leaf",
        "│   │   └── below",
        "│   └── twig",
        "└── last",
        "    └── end",
    ]
    assert tree(Node("alone")) == "alone"
