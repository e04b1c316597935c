"""Fault plans: one line of text, and what they may be."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import trido
from trido import testing
from trido.testing import FaultPlan, PlanSyntaxError

LINES = [
    "crash counter at turn 3 before commit; drop 2nd signal to billing; storage full at write 4",
    "crash counter at turn 1; crash counter at turn 2 after commit",
    "crash any counter at turn 2 of counter.add during directive 1",
    "crash counter at turn 2 before directive 1; crash counter at turn 2 after directive 3",
    "crash feed at await 5; slow feed 0.5s at await 6; swallow root/feeds/eu at await 1",
    "cancel feed at 12.5s; hang feed at start 1; crash counter at stop 2",
    "crash counter at signal 2; crash counter at signal 3 of counter.add",
    "duplicate 11th signal to billing; reorder 22nd counter.add signal to any billing",
    "delay 3rd signal to billing by 1e-07s; block loop 5s at 10s; block counter 2s at turn 1",
    "storage slow 2s at read 1; storage locked at open 1; storage full at write 101",
    "clock -60s at 0s",
    'crash "a b; c" at start 1; drop 1st "any" signal to "loop"; crash any "at" at stop 1',
    "nothing",
]


@pytest.mark.parametrize("line", LINES)
def test_a_line_parses_back_to_what_it_was_printed_from(line: str) -> None:
    plan = FaultPlan.parse(line)
    assert str(plan) == line
    assert FaultPlan.parse(str(plan)) == plan
    assert FaultPlan(plan.faults) == plan


def test_what_may_be_left_out_may_be_left_out() -> None:
    assert FaultPlan.parse("hang feed at start") == FaultPlan.parse("hang feed at start 1")
    assert FaultPlan.parse("crash a at stop") == FaultPlan.parse(' crash "a"  at stop 1 ')
    assert FaultPlan.parse("") == FaultPlan.parse("  nothing ") == FaultPlan()


def test_a_plan_is_given_in_any_of_its_forms() -> None:
    plan = FaultPlan.parse("crash a at turn 1; clock +1s at 2s")
    assert FaultPlan.of(plan) is plan
    assert FaultPlan.of(str(plan)) == plan
    assert FaultPlan.of(list(plan)) == plan
    assert FaultPlan.of(None) == FaultPlan()
    assert (len(plan), len(FaultPlan())) == (2, 0)


ids = st.text(min_size=1, max_size=8) | st.sampled_from(
    "any at by loop of signal to 3 2nd 5s".split()
)
nth = st.integers(1, 200)
lengths = st.floats(1e-9, 1e9)
types = st.none() | ids
who = ids | st.builds(testing.AnyOf, ids)
times = st.builds(testing.Time, st.floats(0, 1e9))
awaiting = (
    st.builds(testing.Start, nth)
    | st.builds(testing.Stop, nth)
    | st.builds(testing.Turn, nth, type=types)
    | st.builds(testing.Await, nth)
)
points = (
    awaiting
    | st.builds(
        testing.Turn, nth, st.sampled_from(["begin", "before commit", "after commit"]), type=types
    )
    | st.builds(
        testing.DirectiveOf, nth, nth, st.sampled_from(["before", "during", "after"]), type=types
    )
    | st.builds(testing.Received, nth, type=types)
    | times
)
faults = (
    st.builds(testing.CodeFault, st.sampled_from(["crash", "cancel"]), who, points)
    | st.builds(testing.CodeFault, st.sampled_from(["hang", "swallow"]), who, awaiting)
    | st.builds(testing.CodeFault, st.just("slow"), who, awaiting, seconds=lengths)
    | st.builds(testing.CodeFault, st.just("block"), who, points, seconds=lengths)
    | st.builds(
        testing.SignalFault,
        st.sampled_from(["drop", "duplicate", "reorder"]),
        who,
        nth,
        type=types,
    )
    | st.builds(testing.SignalFault, st.just("delay"), who, nth, type=types, seconds=lengths)
    | st.builds(
        testing.StorageFault, st.just("unavailable"), st.sampled_from(["open", "read"]), nth
    )
    | st.builds(testing.StorageFault, st.just("slow"), st.just("write"), nth, seconds=lengths)
    | st.builds(testing.ClockFault, lengths | lengths.map(lambda one: -one), times)
    | st.builds(testing.LoopFault, lengths, times)
)


@settings(max_examples=50)
@given(st.lists(faults, max_size=3))
def test_every_plan_reads_as_one_line_and_back(some: list[Any]) -> None:
    plan = FaultPlan(tuple(some))
    assert "\n" not in str(plan)
    assert FaultPlan.parse(str(plan)) == plan


@pytest.mark.parametrize(
    ("line", "at", "says"),
    [
        ("explode x", 0, "'crash' or 'cancel'"),
        ("crash", 5, "the id of an agent or a child"),
        ("crash; crash x at stop", 5, "the id of an agent or a child"),
        ("crash x", 7, "'at'"),
        ("crash x at", 10, "'await' or 'signal' or a time, such as 10s"),
        ("crash x at turn many", 16, "a number"),
        ("crash x at turn 0", 0, "an int >= 1"),
        ("crash x at turn 1 before lunch", 25, "'directive' or 'commit'"),
        ("crash x at turn 1 during commit", 25, "'directive'"),
        ("crash x at turn 1 of", 20, "a type of signals"),
        ("crash x at 3s 4s", 14, "';'"),
        ("crash any", 9, "the name of an agent's definition"),
        ("crash x at stop;", 16, "'crash' or"),
        ("slow x at start", 7, "a number of seconds"),
        ("slow x 0s at start", 0, "a finite number of seconds > 0"),
        ("drop second signal to x", 5, "which signal, such as 2nd"),
        ("drop 2nd a.b to x", 13, "'signal'"),
        ("delay 2nd signal to x", 21, "'by'"),
        ("storage full at read 1", 16, "'write'"),
        ("storage eaten at write 1", 8, "'unavailable' or 'full'"),
        ("clock 0s at 1s", 0, "a finite number of seconds that is not 0"),
        ("clock 5 at 1s", 6, "a number of seconds"),
        ('crash "x at stop', 6, "a whole string"),
        ('crash "\\x" at stop', 6, "a string as in JSON"),
        ('"crash" x at stop', 0, "'crash' or"),
    ],
)
def test_what_is_no_plan_is_told_with_the_place_and_the_way_out(
    line: str, at: int, says: str
) -> None:
    with pytest.raises(PlanSyntaxError) as caught:
        FaultPlan.parse(line)
    assert caught.value.at == at
    assert says in caught.value.expected
    assert says in str(caught.value)
    assert isinstance(caught.value, trido.TridoError)


ONE: Any = object()


@pytest.mark.parametrize(
    ("make", "field"),
    [
        (lambda: testing.CodeFault(ONE, "a", testing.Stop()), "act"),
        (lambda: testing.CodeFault("crash", ONE, testing.Stop()), "who"),
        (lambda: testing.CodeFault("crash", "", testing.Stop()), "who"),
        (lambda: testing.CodeFault("crash", "a", ONE), "at"),
        (lambda: testing.CodeFault("crash", "a", testing.Stop(), seconds=1), "seconds"),
        (lambda: testing.CodeFault("slow", "a", testing.Stop()), "seconds"),
        (lambda: testing.CodeFault("hang", "a", testing.Time(1)), "at"),
        (lambda: testing.CodeFault("swallow", "a", testing.Turn(1, "after commit")), "at"),
        (lambda: testing.AnyOf(""), "name"),
        (lambda: testing.Turn(0), "nth"),
        (lambda: testing.Turn(1, ONE), "phase"),
        (lambda: testing.Turn(1, type=""), "type"),
        (lambda: testing.DirectiveOf(1, 0), "index"),
        (lambda: testing.DirectiveOf(1, 1, ONE), "moment"),
        (lambda: testing.Time(-1), "seconds"),
        (lambda: testing.SignalFault(ONE, "a", 1), "mishap"),
        (lambda: testing.SignalFault("drop", "a", 1, seconds=-1), "seconds"),
        (lambda: testing.StorageFault(ONE, "write"), "failure"),
        (lambda: testing.StorageFault("full", "read"), "operation"),
        (lambda: testing.ClockFault(float("inf"), testing.Time(0)), "jump"),
        (lambda: testing.ClockFault(1, ONE), "at"),
        (lambda: testing.LoopFault(1, ONE), "at"),
        (lambda: testing.LoopFault(float("inf"), testing.Time(0)), "seconds"),
        (lambda: FaultPlan((ONE,)), "faults"),
    ],
    ids=map(str, range(24)),
)
def test_what_cannot_be_is_refused_when_it_is_made(make: Any, field: str) -> None:
    with pytest.raises(trido.SpecError) as caught:
        make()
    assert caught.value.field == field


def test_errors_of_plans_say_what_there_is() -> None:
    error = testing.UnknownPoint("crash x at turn 1", "agent 'x'", ["a", "b"])
    assert str(error) == "'crash x at turn 1': there is no agent 'x'; there is a, b"
    assert "there is nothing" in str(testing.UnknownPoint("crash x at turn 1", "agent 'x'", ()))
    over = testing.NotOver(3, 4.5, "it is long")
    assert str(over) == "not over after 3 steps, at 4.5 s of virtual time: it is long"
    cannot = testing.NotReproducible("time.time()", "a.py:3", "use trio.current_time()")
    assert str(cannot) == "a.py:3: time.time() cannot be replayed; use trio.current_time()"


@pytest.mark.parametrize(
    "make",
    [lambda: FaultPlan.parse(None), lambda: FaultPlan.of(5)],  # type: ignore[arg-type]
    ids=["parse", "of"],
)
def test_what_is_neither_a_line_nor_a_plan_is_refused(make: Callable[[], object]) -> None:
    with pytest.raises(trido.SpecError, match="FaultPlan"):
        make()
