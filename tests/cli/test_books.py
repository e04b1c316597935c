"""The ledger, what became of casts, and the figures: pure."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trido import events
from trido.cli.casts import Casts
from trido.cli.figures import Figures, Sample
from trido.cli.ledger import FATES, Fate, Ledger
from trido.cli.messages import Messages
from trido.cli.panel import milliseconds


@given(st.lists(st.tuples(st.sampled_from(FATES), st.text()) | st.none()))
def test_every_line_once(fates: list[tuple[Fate, str] | None]) -> None:
    ledger = Ledger()
    for line, fate in enumerate(fates, 1):
        ledger.open(line)
        if fate is not None:
            ledger.settle(line, *fate)
    balance = ledger.balance()
    assert ledger.unaccounted() == [line for line, fate in enumerate(fates, 1) if fate is None]
    assert balance.lines == len(fates)
    assert balance.unaccounted == ledger.waiting == fates.count(None)
    assert balance.lines == balance.unaccounted + sum(ledger.settled.values())
    assert balance.is_clean == (None not in fates)


@pytest.mark.parametrize("second", FATES)
def test_a_line_that_is_settled_twice(second: Fate) -> None:
    ledger = Ledger()
    ledger.open(1)
    ledger.settle(1, "handled")
    ledger.settle(1, second)
    assert ledger.balance().handled == ledger.balance().settled_twice == 1
    assert not ledger.balance().is_clean


def test_reasons_are_bounded() -> None:
    ledger = Ledger()
    for line in range(1000):
        ledger.open(line)
        ledger.settle(line, "refused", f"for reason {line % 100}")
    reasons = ledger.reasons["refused"]
    assert len(reasons) == 51
    assert reasons["other reasons"].count == 500
    assert reasons["for reason 0"].lines == [0, 100, 200]


@given(st.lists(st.booleans()), st.data())
def test_casts_are_served_in_order(served: list[bool], data: st.DataObject) -> None:
    """Whenever one looks, what is booked is what happened, and in the end it is all of it."""
    ledger, committed, handled = Ledger(), 0, set[int]()
    casts = Casts(ledger)
    for line in range(len(served)):
        ledger.open(line)
        casts.sending(line)
    for line, is_served in enumerate(served):
        if is_served:
            committed += 1
            handled.add(line)
        else:
            casts.died(line)
            ledger.settle(line, "dead_lettered")
        if data.draw(st.booleans()):
            casts.committed(committed)
            assert ledger.unaccounted() == list(range(line + 1, len(served)))
    casts.committed(committed)
    assert ledger.balance().is_clean
    assert ledger.balance().handled == len(handled)


def test_a_cast_that_nobody_served_is_not_taken_for_handled() -> None:
    ledger = Ledger()
    casts = Casts(ledger)
    for line in (1, 2):
        ledger.open(line)
        casts.sending(line)
    casts.committed(1)
    casts.committed(1)
    assert ledger.unaccounted() == [2]


def test_a_cast_that_was_served_twice_is_noticed() -> None:
    ledger = Ledger()
    casts = Casts(ledger)
    ledger.open(1)
    casts.sending(1)
    casts.committed(2)
    assert ledger.balance().settled_twice == 1


def test_a_cast_that_was_withdrawn() -> None:
    ledger = Ledger()
    casts = Casts(ledger)
    for line in (1, 2):
        ledger.open(line)
        casts.sending(line)
    casts.withdrawn(2)
    casts.committed(1)
    assert ledger.unaccounted() == [2]


# Figures --------------------------------------------------------------------------------------


def crash(id: str, time: float) -> events.Event:
    return events.ChildEnded(path=("desk",), id=id, incarnation=1, time=time, outcome="crashed")


def restart(id: str, time: float) -> events.Event:
    return events.ChildStarted(path=("desk",), id=id, incarnation=2, time=time, cause="restart")


def test_a_recovery_is_from_the_crash_to_the_restart() -> None:
    figures = Figures("support")
    assert figures.hear(crash("support", 1.0)) is None
    assert figures.hear(restart("support", 1.5)) == 0.5
    assert (figures.crashes, figures.restarts) == (1, 1)
    assert figures.recoveries.percentile_ms(50) == 500


def test_a_sibling_that_is_restarted_too_did_not_recover() -> None:
    figures = Figures("support")
    figures.hear(crash("support", 1.0))
    assert figures.hear(restart("support", 1.5)) == 0.5
    assert figures.hear(restart("billing", 1.6)) is None
    assert (figures.crashes, figures.restarts, figures.recoveries.count) == (1, 2, 1)


def test_two_that_crash_at_once() -> None:
    """One of them was to be stopped, for the other's sake, and had crashed already."""
    figures = Figures("support")
    figures.hear(crash("billing", 1.0))
    figures.hear(
        events.ChildStopped(
            path=("desk",), id="support", incarnation=1, time=1.0, outcome="crashed"
        )
    )
    assert figures.hear(restart("support", 1.5)) == 0.5
    assert figures.hear(restart("billing", 1.5)) == 0.5
    assert (figures.crashes, figures.recoveries.count) == (2, 2)


def test_what_is_no_crash_and_no_restart_does_not_count() -> None:
    figures = Figures("support")
    normal = events.ChildEnded(
        path=("desk",), id="support", incarnation=1, time=1.0, outcome="normal"
    )
    assert figures.hear(normal) is None
    assert (figures.crashes, figures.restarts) == (0, 0)


@pytest.mark.parametrize(
    ("began", "ended", "stormy"),
    [(0.0, 0.9, False), (0.5, 1.2, True), (1.1, 1.2, True), (1.4, 1.7, True), (1.6, 1.7, False)],
)
def test_calls_that_met_a_crash(began: float, ended: float, stormy: bool) -> None:  # noqa: FBT001
    figures = Figures("support")
    happens = [crash("billing", 0.1), crash("support", 1.0), restart("support", 1.5)]
    for event in happens:
        if event.time <= ended:
            figures.hear(event)
    figures.called(began, ended)
    assert (figures.stormy.count, figures.calm.count) == (int(stormy), int(not stormy))


@given(st.lists(st.integers(0, 1000), min_size=1))
def test_percentiles_are_of_the_sample(milli: list[int]) -> None:
    sample = Sample()
    for one in milli:
        sample.add(one / 1000)
    assert sample.percentile_ms(100) == pytest.approx(max(milli))
    assert sample.percentile_ms(0) == pytest.approx(min(milli))
    half = sample.percentile_ms(50)
    assert half is not None
    assert sum(one <= half + 1e-6 for one in milli) >= len(milli) / 2


def test_nothing_has_no_percentile() -> None:
    assert Sample().percentile_ms(50) is None


def test_a_sample_is_bounded_and_fair() -> None:
    sample = Sample()
    for number in range(300_000):
        sample.add(number / 1000)
    assert sample.count == 300_000
    middle = sample.percentile_ms(50)
    assert middle is not None
    assert 148_000 < middle < 152_000


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "-"),
        (0.0, "0.00 ms"),
        (0.256, "0.26 ms"),
        (12.34, "12.3 ms"),
        (1234.5, "1,234 ms"),
    ],
)
def test_durations_as_text(value: float | None, text: str) -> None:
    assert milliseconds(value) == text


def test_messages_are_bounded() -> None:
    messages = Messages()
    for number in range(600):
        messages.say(float(number), "crash", str(number))
    first, *rest = messages.take()
    assert first.text == "100 earlier messages were too many to show"
    assert [message.text for message in rest] == [str(number) for number in range(100, 600)]
    assert messages.take() == []
