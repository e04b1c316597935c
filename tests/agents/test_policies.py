"""Policies as data, and breakers as a state machine."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import trido
from trido.agents.breaker import (
    CLOSED,
    BreakerState,
    Verdict,
    admit,
    refusal,
    tell,
    verdict_on,
)

BREAKER = trido.Breaker(failures=3, within=60.0, open_for=30.0)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: trido.Limit("", 1), "Limit: name=''"),
        (lambda: trido.Limit(None, 1), "Limit: name=None"),  # type: ignore[arg-type]
        (lambda: trido.Limit("a", 0), "Limit: n=0"),
        (lambda: trido.Limit("a", n=True), "Limit: n=True"),
        (lambda: trido.Rate(0, 1.0), "Rate: n=0"),
        (lambda: trido.Rate(1, 0.0), "Rate: per=0"),
        (lambda: trido.Rate(1, math.inf), "Rate: per=inf"),
        (lambda: trido.Rate(1, 1.0, name=""), "Rate: name=''"),
        (lambda: trido.Breaker(0, 1.0, 1.0), "Breaker: failures=0"),
        (lambda: trido.Breaker(1, -1.0, 1.0), "Breaker: within=-1"),
        (lambda: trido.Breaker(1, 1.0, math.inf), "Breaker: open_for=inf"),
        (lambda: trido.Breaker(1, 1.0, 1.0, name=3), "Breaker: name=3"),  # type: ignore[arg-type]
        (lambda: trido.Retry(0, on=OSError), "Retry: attempts=0"),
        (lambda: trido.Retry(2, on=()), r"Retry: on=\(\)"),
        (lambda: trido.Retry(2, on=BaseException), "Retry: on="),  # type: ignore[arg-type]
        (lambda: trido.Retry(2, on=(OSError, trido.Reject)), "a Reject is an answer"),
        (lambda: trido.Retry(2, on=OSError, backoff=1.0), "Retry: backoff=1.0"),  # type: ignore[arg-type]
    ],
)
def test_a_policy_that_cannot_be(make: Any, message: str) -> None:
    with pytest.raises(trido.SpecError, match=message):
        make()


def test_policies_are_values() -> None:
    assert trido.Breaker(3, math.inf, 1.0) == trido.Breaker(3, math.inf, 1.0)
    assert trido.Retry(2, on=OSError) == trido.Retry(2, on=(OSError,))
    assert len({trido.Limit("a", 1), trido.Limit("a", 1), trido.Rate(1, 1.0)}) == 2
    with pytest.raises(AttributeError):
        trido.Limit("a", 1).n = 2  # type: ignore[misc]


@pytest.mark.parametrize(
    ("attempt", "error", "again"),
    [
        (1, ConnectionError(), True),
        (1, ConnectionResetError(), True),
        (2, ConnectionError(), False),
        (1, ValueError(), False),
        (1, ExceptionGroup("", [ConnectionError(), TimeoutError()]), True),
        (1, ExceptionGroup("", [ConnectionError(), ValueError()]), False),
    ],
)
def test_what_is_tried_again(attempt: int, error: Exception, again: object) -> None:
    assert trido.Retry(2, on=(ConnectionError, TimeoutError)).again(attempt, error) is again


def test_what_is_never_tried_again() -> None:
    retry = trido.Retry(2, on=Exception)
    assert retry.again(1, trido.ActionTimeout("a", 1.0))
    assert not retry.again(1, trido.ActionTimeout("a", 1.0, abandoned=True))
    assert not retry.again(1, trido.Reject("no"))


def test_when_a_rate_lets_the_next_begin() -> None:
    rate = trido.Rate(2, per=10.0)
    assert rate.earliest([], 5.0) == 5.0
    assert rate.earliest([5.0], 6.0) == 6.0
    assert rate.earliest([5.0, 6.0], 7.0) == 15.0
    assert rate.earliest([5.0, 6.0], 17.0) == 17.0


# Breakers -----------------------------------------------------------------------------------------


def fail(state: BreakerState, *times: float) -> BreakerState:
    for now in times:
        assert refusal(state, now) is None
        state = admit(state)
        state = tell(BREAKER, state, state.era, "failed", now)
    return state


def test_too_many_failures_within_the_window_open_it() -> None:
    state = fail(CLOSED, 0.0, 1.0)
    assert state.standing == "closed"
    state = fail(state, 2.0)
    assert state.standing == "open"
    assert refusal(state, 3.0) == 29.0


def test_failures_older_than_the_window_do_not_count() -> None:
    state = fail(CLOSED, 0.0, 1.0, 60.0)
    assert (state.standing, state.failed) == ("closed", (1.0, 60.0))
    assert fail(state, 60.5).standing == "open"


def test_successes_neither_count_nor_forgive() -> None:
    state = tell(BREAKER, fail(CLOSED, 0.0, 1.0), 0, "succeeded", 1.5)
    assert fail(state, 2.0).standing == "open"


def test_after_its_time_one_probe_is_let_through() -> None:
    state = fail(CLOSED, 0.0, 1.0, 2.0)
    assert refusal(state, 32.0) is None
    probing = admit(state)
    assert probing.standing == "half-open"
    assert refusal(probing, 32.0) == 0.0
    assert refusal(probing, 99.0) == 0.0


def probe() -> BreakerState:
    return admit(fail(CLOSED, 0.0, 1.0, 2.0))


def test_a_probe_that_succeeds_closes_it_and_all_is_forgotten() -> None:
    state = probe()
    state = tell(BREAKER, state, state.era, "succeeded", 40.0)
    assert (state.standing, state.failed) == ("closed", ())


def test_a_probe_that_fails_opens_it_again() -> None:
    state = probe()
    state = tell(BREAKER, state, state.era, "failed", 40.0)
    assert refusal(state, 40.0) == 30.0


def test_a_probe_that_says_nothing_makes_room_for_another() -> None:
    state = probe()
    state = tell(BREAKER, state, state.era, "nothing", 40.0)
    assert state.standing == "open"
    assert refusal(state, 40.0) is None
    assert admit(state).standing == "half-open"


@pytest.mark.parametrize("verdict", ["succeeded", "failed", "nothing"])
def test_late_news_of_an_earlier_era_is_not_listened_to(verdict: Verdict) -> None:
    opened = fail(CLOSED, 0.0, 1.0, 2.0)
    assert tell(BREAKER, opened, CLOSED.era, verdict, 3.0) is opened
    probing = admit(opened)
    assert tell(BREAKER, probing, CLOSED.era, verdict, 40.0) is probing
    closed = tell(BREAKER, probing, probing.era, "succeeded", 40.0)
    assert tell(BREAKER, closed, probing.era, verdict, 41.0) is closed


@pytest.mark.parametrize(
    ("error", "verdict"),
    [
        (None, "succeeded"),
        (ValueError(), "failed"),
        (trido.ActionTimeout("a", 1.0), "failed"),
        (trido.InvalidResult("a", "$", ""), "failed"),
        (ExceptionGroup("", [trido.Reject(), ValueError()]), "failed"),
        (trido.Reject("no"), "nothing"),
        (trido.BreakerOpen("b", 1.0), "nothing"),
        (ExceptionGroup("", [trido.Reject(), trido.Reject()]), "nothing"),
        (KeyboardInterrupt(), "nothing"),
        (BaseExceptionGroup("", [ValueError(), KeyboardInterrupt()]), "nothing"),
    ],
)
def test_what_counts_as_a_failure(error: BaseException | None, verdict: Verdict) -> None:
    assert verdict_on(error) == verdict


EVENTS = st.lists(
    st.tuples(st.floats(0.0, 40.0), st.sampled_from(["begin", "succeeded", "failed", "nothing"]))
)


@given(EVENTS, st.randoms(use_true_random=False))
def test_a_breaker_keeps_its_promises_whatever_happens(events: Any, random: Any) -> None:
    """Few failures are remembered; open, it refuses; half-open, exactly one attempt is out."""
    state, now, out = CLOSED, 0.0, list[int]()
    for passed, event in events:
        now += passed
        before = state
        if event == "begin":
            after = refusal(state, now)
            if after is None:
                state = admit(state)
                out.append(state.era)
            else:
                assert after > 0.0 or state.standing == "half-open"
        elif out:
            era = out.pop(random.randrange(len(out)))
            state = tell(BREAKER, state, era, event, now)
        assert len(state.failed) < BREAKER.failures
        assert state.era - before.era in (0, 1)
        assert (state.era != before.era) is (state.standing != before.standing)
        assert (state.standing == "half-open") <= (out.count(state.era) == 1)
        if state.standing == "open" and before.standing == "closed":
            assert refusal(state, now) == pytest.approx(BREAKER.open_for)
