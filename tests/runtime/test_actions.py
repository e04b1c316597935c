"""Running actions: attempts, sequences, compensations, and cancellation wherever it may come."""

from __future__ import annotations

import signal
from collections.abc import Awaitable, Callable, Collection
from contextlib import AbstractContextManager, suppress
from functools import partial
from typing import Any
from unittest.mock import patch

import pytest
import trio
from attrs import Factory, define, frozen
from hypothesis import given
from hypothesis import strategies as st
from trio.testing import assert_checkpoints, wait_all_tasks_blocked

import trido
from tests.runtime.cancelling import CANCEL, MODES, Trial, When, at_every_step, run_cancelled
from trido import testing


@frozen
class Order:
    item: str = "book"
    price: int = 10


class Down(Exception):
    """The other side does not answer."""


@define(eq=False)
class Story:
    """An action that fails some times, and what happened."""

    name: str = "act"
    failures: list[BaseException] = Factory(list)
    """What its attempts raise, one after another; then it succeeds."""
    takes: float = 1.0
    log: list[Any] = Factory(list)
    undone: list[BaseException] = Factory(list)
    undoing: Callable[[], Awaitable[None]] | None = None

    def action(self, *, compensated: bool = True, **options: Any) -> trido.Action[Order, Order]:
        if compensated:
            options["compensate"] = self._undo

        async def act(data: Order) -> Order:
            self.log.append(("began", self.name))
            await trio.sleep(self.takes)
            if self.failures:
                raise self.failures.pop(0)
            self.log.append(("did", self.name))
            return data

        made: trido.Action[Order, Order] = trido.action(self.name, **options)(act)
        return made

    async def _undo(self, data: Order, error: BaseException) -> None:
        assert data == Order()
        self.log.append(("undoes", self.name))
        self.undone.append(error)
        if self.undoing is None:
            await trio.sleep(1.0)
        else:
            await self.undoing()
        self.log.append(("undid", self.name))

    def count(self, what: str) -> int:
        return self.log.count((what, self.name))


# One attempt --------------------------------------------------------------------------------------


async def test_the_result_comes_back_and_nothing_is_undone() -> None:
    story = Story()
    data = Order()
    assert await trido.run_action(story.action(), data) is data
    assert story.log == [("began", "act"), ("did", "act")]


async def test_a_plain_function_runs_in_the_task() -> None:
    @trido.action
    def price(data: Order) -> int:
        return data.price

    with assert_checkpoints():
        assert await trido.run_action(price, Order()) == 10


async def test_wrong_data_is_refused_before_anything_runs() -> None:
    story = Story()
    with assert_checkpoints(), pytest.raises(trido.InvalidData, match=r"^\$\.price: expected int"):
        await trido.run_action(story.action(), {"price": "10"})  # type: ignore[misc]
    assert not story.log


async def test_a_failed_action_runs_once() -> None:
    """Jido runs a failed action twice."""
    story = Story(failures=[Down("1"), Down("2")])
    with pytest.raises(Down, match="1"):
        await trido.run_action(story.action(), Order())
    assert story.count("began") == 1


async def test_an_action_that_failed_is_undone_once_with_its_data_and_error() -> None:
    failure = Down()
    story = Story(failures=[failure])
    with pytest.raises(Down) as caught:
        await trido.run_action(story.action(), Order())
    assert caught.value is failure
    assert story.undone == [failure]
    assert [what for what, _ in story.log] == ["began", "undoes", "undid"]


async def test_a_compensation_may_be_a_plain_function() -> None:
    undone = []
    story = Story(failures=[Down()])
    action = story.action(compensated=False, compensate=lambda data, error: undone.append(data))
    with pytest.raises(Down):
        await trido.run_action(action, Order())
    assert undone == [Order()]


async def test_a_wrong_result_is_a_failure_and_is_undone() -> None:
    undone = []

    @trido.action(compensate=lambda data, error: undone.append(error))
    async def count(data: Order) -> int:
        return "many"  # type: ignore[return-value]

    with pytest.raises(trido.InvalidResult, match=r"'count': \$: expected int, got str"):
        await trido.run_action(count, Order())
    assert [type(error) for error in undone] == [trido.InvalidResult]


async def test_an_attempt_that_takes_too_long_is_cancelled() -> None:
    story = Story(takes=60.0)
    start = trio.current_time()
    with pytest.raises(trido.ActionTimeout) as caught:
        await trido.run_action(story.action(timeout=5.0), Order())
    assert trio.current_time() == start + 6.0  # with the compensation
    assert (caught.value.action, caught.value.timeout, caught.value.abandoned) == (
        "act",
        5.0,
        False,
    )
    assert story.undone == [caught.value]


async def test_a_timeout_of_its_own_is_no_timeout_of_the_action() -> None:
    story = Story(failures=[trio.TooSlowError()])
    with pytest.raises(trio.TooSlowError):
        await trido.run_action(story.action(timeout=5.0), Order())


# Retry --------------------------------------------------------------------------------------------

EVEN = trido.Backoff(min=10.0, factor=2.0)


async def test_it_is_tried_again_for_the_errors_named_and_undone_only_at_the_end() -> None:
    story = Story(failures=[Down(), Down(), Down("last")])
    action = story.action(retry=trido.Retry(3, on=Down, backoff=EVEN))
    start = trio.current_time()
    with pytest.raises(Down, match="last"):
        await trido.run_action(action, Order())
    assert [what for what, _ in story.log] == ["began", "began", "began", "undoes", "undid"]
    assert trio.current_time() == start + 3 * 1.0 + 10.0 + 20.0 + 1.0


async def test_an_attempt_that_succeeds_at_last_is_not_undone() -> None:
    story = Story(failures=[Down(), Down()])
    await trido.run_action(story.action(retry=trido.Retry(3, on=Down)), Order())
    assert (story.count("began"), story.undone) == (3, [])


async def test_other_errors_are_not_tried_again() -> None:
    story = Story(failures=[ValueError()])
    with pytest.raises(ValueError):  # noqa: PT011
        await trido.run_action(story.action(retry=trido.Retry(3, on=Down)), Order())
    assert story.count("began") == 1


async def test_a_timeout_is_tried_again_if_it_is_named() -> None:
    story = Story(takes=60.0)
    retry = trido.Retry(2, on=trido.ActionTimeout, backoff=EVEN)
    with pytest.raises(trido.ActionTimeout):
        await trido.run_action(story.action(timeout=5.0, retry=retry), Order())
    assert (story.count("began"), story.count("undoes")) == (2, 1)


@pytest.mark.parametrize(("u", "waited"), [(0.0, 0.1), (0.5, 0.125)])
async def test_the_usual_backoff_has_jitter(u: float, waited: float) -> None:
    story = Story(failures=[Down()])
    start = trio.current_time()
    with patch("random.random", return_value=u):
        await trido.run_action(story.action(retry=trido.Retry(2, on=Down)), Order())
    assert trio.current_time() == pytest.approx(start + 2.0 + waited)


async def test_cancelled_is_never_tried_again() -> None:
    story = Story(takes=60.0)
    with trio.move_on_after(1.0):
        await trido.run_action(story.action(retry=trido.Retry(3, on=Exception)), Order())
    assert story.count("began") == 1


async def an_hour() -> None:
    await trio.sleep(3600.0)


async def twenty_seconds() -> None:
    await trio.sleep(20.0)


# Compensations ------------------------------------------------------------------------------------


async def test_a_cancelled_action_is_undone() -> None:
    story = Story(takes=60.0)
    with trio.move_on_after(1.0) as scope:
        await trido.run_action(story.action(), Order())
    assert scope.cancelled_caught
    assert [what for what, _ in story.log] == ["began", "undoes", "undid"]
    assert isinstance(story.undone[0], trio.Cancelled)


async def test_an_action_that_never_began_has_nothing_to_undo() -> None:
    story, meters = Story(takes=60.0), trido.Meters()
    action = story.action(policies=[trido.Limit("one", 1)])
    async with trio.open_nursery() as nursery:
        nursery.start_soon(partial(trido.run_action, action, Order(), meters=meters))
        await wait_all_tasks_blocked()
        with trio.move_on_after(1.0) as scope:
            await trido.run_action(action, Order(), meters=meters)
        assert scope.cancelled_caught
        assert story.log == [("began", "act")]


async def test_a_compensation_that_is_cancelled_comes_to_its_end() -> None:
    """It was begun because the action failed; the cancel comes later."""
    story = Story(failures=[Down()])
    with trio.move_on_after(1.5) as scope, pytest.raises(Down):
        await trido.run_action(story.action(), Order())
    assert scope.cancel_called
    assert story.count("undid") == 1


async def test_a_compensation_takes_its_time_while_nobody_cancels() -> None:
    story = Story(failures=[Down()], undoing=an_hour)
    with pytest.raises(Down):
        await trido.run_action(story.action(), Order())
    assert story.count("undid") == 1


async def test_a_compensation_that_is_too_slow_for_cleanup_is_cut_short_and_told() -> None:
    story = Story(takes=60.0, undoing=an_hour)
    start = trio.current_time()
    with pytest.raises(BaseExceptionGroup) as caught, trio.move_on_after(1.0):
        await trido.run_action(story.action(), Order())
    assert trio.current_time() == start + 6.0
    (failed,) = caught.value.exceptions  # the Cancelled has reached its scope
    assert isinstance(failed, trido.CompensationFailed)
    assert isinstance(failed.__cause__, trio.TooSlowError)
    assert (story.count("undoes"), story.count("undid")) == (1, 0)


async def test_in_a_child_a_compensation_has_the_grace_of_the_child() -> None:
    story = Story(takes=60.0, undoing=twenty_seconds)

    async def child() -> None:
        await trido.run_action(story.action(), Order())

    async with trido.open_supervisor(trido.ChildSpec(child, shutdown=30.0)):
        await trio.sleep(1.0)
    assert story.count("undid") == 1


async def test_a_compensation_that_fails_is_not_lost() -> None:
    async def fail() -> None:
        raise ValueError("no refunds")

    failure = Down()
    story = Story(failures=[failure], undoing=fail)
    with pytest.raises(BaseExceptionGroup, match="could not be undone") as caught:
        await trido.run_action(story.action(), Order())
    original, failed = caught.value.exceptions
    assert original is failure
    assert isinstance(failed, trido.CompensationFailed)
    assert (failed.action, str(failed.__cause__)) == ("act", "no refunds")
    assert isinstance(caught.value, ExceptionGroup)


async def test_what_is_no_exception_comes_out_of_a_compensation_as_it_is() -> None:
    async def interrupt() -> None:
        raise KeyboardInterrupt

    failure = Down()
    story = Story(failures=[failure], undoing=interrupt)
    with pytest.raises(BaseExceptionGroup) as caught:
        await trido.run_action(story.action(), Order())
    assert [type(one) for one in caught.value.exceptions] == [Down, KeyboardInterrupt]


@trio.lowlevel.enable_ki_protection
def interrupt() -> None:
    signal.raise_signal(signal.SIGINT)


def test_control_c_during_a_compensation_undoes_the_rest_and_is_not_lost() -> None:
    log: list[Any] = []
    first, second = Story("first", log=log), Story("second", failures=[Down()], log=log)
    place = trido.sequence("place", first.action(), second.action())

    async def press() -> None:
        await trio.sleep(2.5)  # in the compensation of the second
        interrupt()

    async def main() -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(press)
            await trido.run_action(place, Order())

    with pytest.raises(BaseExceptionGroup) as caught:
        testing.run(main)
    assert caught.value.subgroup(KeyboardInterrupt)
    assert caught.value.subgroup(Down)
    assert log[-4:] == [(what, who) for who in ("second", "first") for what in ("undoes", "undid")]


async def test_control_c_breaks_into_a_compensation_and_not_into_what_sees_to_it() -> None:
    protected: list[bool] = []

    def see_to_it() -> AbstractContextManager[Any]:
        protected.append(trio.lowlevel.currently_ki_protected())
        return trido.cleanup()

    async def undo() -> None:
        protected.append(trio.lowlevel.currently_ki_protected())

    story = Story(failures=[Down()], undoing=undo)
    with patch("trido.runtime.undo.cleanup", see_to_it), pytest.raises(Down):
        await trido.run_action(story.action(), Order())
    assert protected == [False, True]


# Sequences ----------------------------------------------------------------------------------------


def stories(*failing: int, **options: Any) -> tuple[list[Story], trido.Action[Any, Any], list[Any]]:
    """Three stories in sequence, some of which fail, and their common log."""
    log: list[Any] = []
    told = [
        Story(name, failures=[Down(name)] if number in failing else [], log=log)
        for number, name in enumerate(("reserve", "charge", "ship"))
    ]
    return told, trido.sequence("order.place", *(one.action(**options) for one in told)), log


async def test_each_step_is_given_the_result_of_the_one_before() -> None:
    @trido.action
    def price(data: Order) -> int:
        return data.price

    @trido.action
    async def double(data: int) -> int:
        return 2 * data

    place = trido.sequence("place", price, trido.sequence("twice", double, double))
    assert await trido.run_action(place, Order()) == 40


async def test_after_a_step_that_fails_no_later_step_runs() -> None:
    """In Jido a failing step in a list of actions lets the rest run."""
    _, place, log = stories(1, compensated=False)
    with pytest.raises(trido.StepFailed) as caught:
        await trido.run_action(place, Order())
    assert log == [("began", "reserve"), ("did", "reserve"), ("began", "charge")]
    error = caught.value
    assert (error.sequence, error.step, error.number) == ("order.place", "charge", 2)
    assert isinstance(error.__cause__, Down)


async def test_what_the_steps_did_is_undone_in_reverse_each_once() -> None:
    (reserve, charge, ship), place, log = stories(2)
    with pytest.raises(trido.StepFailed) as caught:
        await trido.run_action(place, Order())
    assert log[5:] == [
        (what, who) for who in ("ship", "charge", "reserve") for what in ("undoes", "undid")
    ]
    assert ship.undone == [caught.value.__cause__]
    assert reserve.undone == charge.undone == [caught.value]


async def test_a_sequence_that_succeeds_undoes_nothing() -> None:
    told, place, _ = stories()
    await trido.run_action(place, Order())
    assert not any(one.undone for one in told)


async def test_the_steps_of_an_inner_sequence_are_undone_when_the_outer_fails() -> None:
    (reserve, charge, _), inner, log = stories()
    last = Story("last", failures=[Down()], log=log)
    outer = trido.sequence("outer", inner, last.action(compensated=False))
    with pytest.raises(trido.StepFailed, match="step 2 of 'outer' failed: 'last'"):
        await trido.run_action(outer, Order())
    undone = [who for what, who in log if what == "undid"]
    assert undone == ["ship", "charge", "reserve"]
    assert len(reserve.undone) == len(charge.undone) == 1


async def test_an_inner_sequence_that_fails_is_named_by_both() -> None:
    _, inner, _ = stories(0)
    outer = trido.sequence("outer", inner)
    with pytest.raises(
        trido.StepFailed, match=r"step 1 of 'outer' failed: 'order\.place'"
    ) as caught:
        await trido.run_action(outer, Order())
    assert str(caught.value.__cause__) == "step 1 of 'order.place' failed: 'reserve'"


async def test_a_step_has_its_own_retry_and_timeout() -> None:
    log: list[Any] = []
    first = Story("first", failures=[Down()], log=log)
    second = Story("second", takes=60.0, log=log)
    place = trido.sequence(
        "place", first.action(retry=trido.Retry(2, on=Down)), second.action(timeout=5.0)
    )
    with pytest.raises(trido.StepFailed) as caught:
        await trido.run_action(place, Order())
    assert isinstance(caught.value.__cause__, trido.ActionTimeout)
    assert (first.count("began"), second.count("began")) == (2, 1)


async def test_one_compensation_that_fails_stops_no_other() -> None:
    told, place, _ = stories(2)

    async def fail() -> None:
        raise ValueError

    told[1].undoing = fail
    with pytest.raises(BaseExceptionGroup) as caught:
        await trido.run_action(place, Order())
    step_failed, failed = caught.value.exceptions
    assert isinstance(step_failed, trido.StepFailed)
    assert isinstance(failed, trido.CompensationFailed)
    assert failed.action == "charge"
    assert told[0].count("undid") == 1


async def test_wrong_data_for_a_later_step_names_the_step() -> None:
    @trido.action
    def pack(data: Order) -> Any:
        return {"price": "10"}

    story = Story()
    with pytest.raises(trido.StepFailed, match="step 2 of 'place' failed: 'act'") as caught:
        await trido.run_action(trido.sequence("place", pack, story.action()), Order())
    assert isinstance(caught.value.__cause__, trido.InvalidData)


# Policies -----------------------------------------------------------------------------------------


async def test_a_limit_lets_n_run_at_once_in_the_order_they_came() -> None:
    meters = trido.Meters()
    began: list[tuple[int, float]] = []
    running = most = 0
    start = trio.current_time()

    @trido.action(policies=[trido.Limit("desk", 2)])
    async def serve(data: int) -> None:
        nonlocal running, most
        began.append((data, trio.current_time() - start))
        running += 1
        most = max(most, running)
        await trio.sleep(10.0)
        running -= 1

    async with trio.open_nursery() as nursery:
        for number in range(6):
            nursery.start_soon(partial(trido.run_action, serve, number, meters=meters))
            await wait_all_tasks_blocked()
        limit = meters.statistics().limits["desk"]
        assert limit == trido.LimitStatistics(running=2, waiting=4)
    # Two that begin at once do so in any order.
    order = sorted(began, key=lambda one: (one[1], one[0]))
    assert order == [(0, 0.0), (1, 0.0), (2, 10.0), (3, 10.0), (4, 20.0), (5, 20.0)]
    assert most == 2
    assert meters.statistics().limits["desk"] == trido.LimitStatistics(running=0, waiting=0)


async def test_actions_share_what_has_one_name_and_meters_share_nothing() -> None:
    one, two = trido.Meters(), trido.Meters()
    first = Story(takes=10.0).action(policies=[trido.Limit("shared", 1)])
    second = Story("other", takes=10.0).action(policies=[trido.Limit("shared", 1)])
    start = trio.current_time()
    async with trio.open_nursery() as nursery:
        for action, meters in [(first, one), (second, one), (second, two)]:
            nursery.start_soon(partial(trido.run_action, action, Order(), meters=meters))
    assert trio.current_time() == start + 20.0


async def test_one_name_for_two_different_policies_is_an_error() -> None:
    meters = trido.Meters()
    await trido.run_action(Story().action(policies=[trido.Limit("a", 1)]), Order(), meters=meters)
    other = Story().action(policies=[trido.Limit("a", 2)])
    with pytest.raises(trido.SpecError, match=r"action 'act': policies=.* elsewhere it is Limit"):
        await trido.run_action(other, Order(), meters=meters)


@pytest.mark.parametrize(
    "policy", [trido.Limit("a", 1), trido.Rate(1, per=10.0)], ids=["limit", "rate"]
)
async def test_who_gives_up_waiting_leaves_the_queue_as_it_was(policy: Any) -> None:
    meters, began = trido.Meters(), list[tuple[int, float]]()
    start = trio.current_time()

    @trido.action(policies=[policy])
    async def serve(data: int) -> None:
        began.append((data, trio.current_time() - start))
        await trio.sleep(10.0)

    async def come(number: int, patience: float) -> None:
        with trio.move_on_after(patience):
            await trido.run_action(serve, number, meters=meters)

    async with trio.open_nursery() as nursery:
        for number, patience in enumerate([100.0, 1.0, 100.0, 12.0, 100.0]):
            nursery.start_soon(come, number, patience)
            await wait_all_tasks_blocked()
    assert began == [(0, 0.0), (2, 10.0), (4, 20.0)]


async def test_a_sleeping_retry_holds_no_place() -> None:
    meters, log = trido.Meters(), list[Any]()
    limit = trido.Limit("one", 1)
    retry = trido.Retry(2, on=Down, backoff=EVEN)
    flaky = Story("flaky", failures=[Down()], log=log).action(policies=[limit], retry=retry)
    other = Story("other", log=log).action(policies=[limit])
    async with trio.open_nursery() as nursery:
        nursery.start_soon(partial(trido.run_action, flaky, Order(), meters=meters))
        await wait_all_tasks_blocked()
        nursery.start_soon(partial(trido.run_action, other, Order(), meters=meters))
    assert [who for what, who in log if what == "began"] == ["flaky", "other", "flaky"]


async def test_a_rate_lets_n_begin_in_any_period() -> None:
    meters, began = trido.Meters(), list[float]()
    start = trio.current_time()

    @trido.action(policies=[trido.Rate(2, per=1.0)])
    async def call(data: int) -> None:
        began.append(trio.current_time() - start)

    async with trio.open_nursery() as nursery:
        for _ in range(5):
            nursery.start_soon(partial(trido.run_action, call, 0, meters=meters))
        await wait_all_tasks_blocked()
        assert meters.statistics().rates == {"call": 3}
    assert began == [0.0, 0.0, 1.0, 1.0, 2.0]
    assert meters.statistics().rates == {"call": 0}


def broken(**options: Any) -> tuple[Story, trido.Action[Order, Order]]:
    """An action behind a breaker that opens at its second failure."""
    story = Story(failures=[Down(), Down()])
    breaker = trido.Breaker(2, within=60.0, open_for=30.0)
    return story, story.action(compensated=False, policies=[breaker], **options)


async def test_an_open_breaker_fails_at_once_and_says_when_to_try_again() -> None:
    meters = trido.Meters()
    story, action = broken()
    for _ in range(2):
        with pytest.raises(Down):
            await trido.run_action(action, Order(), meters=meters)
    assert meters.statistics().breakers == {"act": "open"}
    before = trio.current_time()
    await trio.sleep(10.0)
    with assert_checkpoints(), pytest.raises(trido.BreakerOpen) as caught:
        await trido.run_action(action, Order(), meters=meters)
    assert trio.current_time() == before + 10.0
    assert (caught.value.breaker, caught.value.after) == ("act", 20.0)
    assert story.count("began") == 2


async def test_an_open_breaker_does_not_wait_for_a_limit_first() -> None:
    meters, limit = trido.Meters(), trido.Limit("one", 1)
    breaker = trido.Breaker(1, within=60.0, open_for=30.0, name="down")
    other = Story("other", takes=10.0).action(policies=[limit])
    failing = Story(failures=[Down()]).action(policies=[limit, breaker])
    with pytest.raises(Down):
        await trido.run_action(failing, Order(), meters=meters)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(partial(trido.run_action, other, Order(), meters=meters))
        await wait_all_tasks_blocked()
        before = trio.current_time()
        with pytest.raises(trido.BreakerOpen):
            await trido.run_action(failing, Order(), meters=meters)
        assert trio.current_time() == before


async def test_one_probe_decides_and_a_cancelled_one_does_not() -> None:
    meters = trido.Meters()
    story, action = broken()
    for _ in range(2):
        with pytest.raises(Down):
            await trido.run_action(action, Order(), meters=meters)
    await trio.sleep(30.0)
    with trio.move_on_after(0.5):
        await trido.run_action(action, Order(), meters=meters)
    assert meters.statistics().breakers == {"act": "open"}
    async with trio.open_nursery() as nursery:
        nursery.start_soon(partial(trido.run_action, action, Order(), meters=meters))
        await wait_all_tasks_blocked()
        assert meters.statistics().breakers == {"act": "half-open"}
        with pytest.raises(trido.BreakerOpen, match="an attempt is being made"):
            await trido.run_action(action, Order(), meters=meters)
    assert meters.statistics().breakers == {"act": "closed"}
    assert story.count("began") == 4


async def test_a_breaker_that_opens_while_one_waits_for_a_limit_refuses_it() -> None:
    meters, story = trido.Meters(), Story(failures=[Down(), Down()])
    policies = [trido.Limit("one", 1), trido.Breaker(1, within=60.0, open_for=30.0)]
    action = story.action(policies=policies)
    errors: list[type] = []

    async def run() -> None:
        try:
            await trido.run_action(action, Order(), meters=meters)
        except (Down, trido.BreakerOpen) as error:
            errors.append(type(error))

    async with trio.open_nursery() as nursery:
        nursery.start_soon(run)
        nursery.start_soon(run)
    assert errors == [trido.BreakerOpen, Down]  # the one that failed had to be undone first
    assert (story.count("began"), story.count("undoes")) == (1, 1)
    assert meters.statistics().limits["one"].running == 0


async def test_a_probe_that_another_breaker_refuses_makes_room_for_another() -> None:
    """Both let it wait for the rate; then the second opens."""
    meters, story = trido.Meters(), Story(failures=[Down(), Down()], takes=0.0)
    first = trido.Breaker(1, within=60.0, open_for=5.0, name="a")
    second = trido.Breaker(1, within=60.0, open_for=50.0, name="b")
    rate = trido.Rate(1, per=10.0)
    with pytest.raises(Down):
        await trido.run_action(
            story.action(compensated=False, policies=[first]), Order(), meters=meters
        )
    both = story.action(compensated=False, policies=[first, second, rate])
    other = Story("other", failures=[Down()], takes=1.0).action(policies=[second])
    await trio.sleep(6.0)
    with pytest.raises(Down):
        await trido.run_action(other, Order(), meters=meters)
    with pytest.raises(trido.BreakerOpen, match="'b'"):
        await trido.run_action(both, Order(), meters=meters)
    assert meters.statistics().breakers == {"a": "open", "b": "open"}


async def test_reject_is_an_answer_and_opens_no_breaker() -> None:
    meters, story = trido.Meters(), Story(failures=[trido.Reject("no") for _ in range(5)])
    policies = [trido.Breaker(1, within=60.0, open_for=30.0)]
    action = story.action(policies=policies, retry=trido.Retry(9, on=Exception))
    for _ in range(5):
        with pytest.raises(trido.Reject):
            await trido.run_action(action, Order(), meters=meters)
    assert story.count("began") == story.count("undid") == 5


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"threads": 0}, "threads=0"),
        ({"processes": 0}, "processes=0"),
        ({"inline": 1}, "inline=1"),
    ],
)
def test_meters_that_cannot_be(arguments: Any, message: str) -> None:
    with pytest.raises(trido.SpecError, match=message):
        trido.Meters(**arguments)


# Cancellation, everywhere -------------------------------------------------------------------------

POLICIES = (trido.Limit("l", 1), trido.Rate(1, per=5.0), trido.Breaker(9, 60.0, 30.0))


def check(log: list[Any], compensated: Collection[str], last: str) -> None:
    """What has to be true wherever it was cancelled, or if it was not, or failed."""
    began = list(dict.fromkeys(who for what, who in log if what == "began"))
    undone = [who for what, who in log if what == "undoes"]
    expected = [who for who in reversed(began) if who in compensated]
    assert undone == ([] if ("did", last) in log else expected)
    assert undone == [who for what, who in log if what == "undid"]
    for end in (CANCEL, ("undoes", undone[0]) if undone else CANCEL):
        after = log[log.index(end) :] if end in log else []
        assert not [entry for entry in after if entry[0] == "began"]


@pytest.mark.parametrize("policies", [(), POLICIES[:1], POLICIES], ids=["none", "limit", "all"])
@pytest.mark.parametrize("failures", [0, 1, 2, 3])
def test_an_action_cancelled_anywhere_is_undone_exactly_if_it_began(
    failures: int, policies: Any
) -> None:
    def make() -> Trial:
        story, meters = Story(failures=[Down() for _ in range(failures)]), trido.Meters()
        retry = trido.Retry(3, on=Down, backoff=EVEN)
        action = story.action(policies=policies, timeout=30.0, retry=retry)

        async def main() -> None:
            with suppress(Down):
                await trido.run_action(action, Order(), meters=meters)

        def check_it() -> None:
            check(story.log, ["act"], "act")
            now = meters.statistics()
            assert now.limits in ({}, {"l": trido.LimitStatistics(running=0, waiting=0)})
            assert now.breakers in ({}, {"act": "closed"})
            assert now.rates in ({}, {"act": 0})

        return main, story.log, check_it

    assert at_every_step(make) >= 2 * (2 + len(policies)) * min(3, failures + 1)


@pytest.mark.parametrize("failing", [(), (0,), (1,), (2,)])
def test_a_sequence_cancelled_anywhere_is_undone_in_reverse_and_no_step_follows(
    failing: tuple[int, ...],
) -> None:
    def make() -> Trial:
        told, place, log = stories(*failing)

        async def main() -> None:
            with suppress(trido.StepFailed):
                await trido.run_action(place, Order())

        return main, log, lambda: check(log, [one.name for one in told], "ship")

    assert at_every_step(make) >= 8


@given(
    st.lists(
        st.tuples(st.integers(0, 2), st.sampled_from([0.0, 1.0]), st.booleans()),
        min_size=1,
        max_size=4,
    ),
    st.integers(1, 60),
    st.sampled_from(MODES),
    st.integers(0),
)
def test_any_sequence_cancelled_anywhere_keeps_the_promises(
    plan: list[tuple[int, float, bool]], step: int, when: When, seed: int
) -> None:
    """Each step fails some times, takes some time, and may have a compensation."""
    log: list[Any] = []
    told = [
        Story(str(number), failures=[Down() for _ in range(failures)], takes=takes, log=log)
        for number, (failures, takes, _) in enumerate(plan)
    ]
    actions = [
        story.action(compensated=compensated, retry=trido.Retry(2, on=Down, backoff=EVEN))
        for story, (_, _, compensated) in zip(told, plan, strict=True)
    ]

    async def main() -> None:
        with suppress(trido.StepFailed):
            await trido.run_action(trido.sequence("all", *actions), Order())

    run_cancelled(main, log, step, when, seed=seed)
    names = [story.name for story in told]
    check(log, [name for name in names if plan[int(name)][2]], names[-1])
    began = list(dict.fromkeys(who for what, who in log if what == "began"))
    assert began == names[: len(began)]
