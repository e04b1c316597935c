"""Actions as values: what is known of one, and everything that is wrong at its definition."""

from __future__ import annotations

import copy
import inspect
import pickle
from collections.abc import AsyncIterator, Awaitable, Iterator
from datetime import datetime
from typing import Annotated, Any, NewType, TypedDict, assert_type

import pytest
from attrs import frozen

import trido
from trido.agents.where import check_where, importable


@frozen
class Charge:
    amount: int
    currency: str = "EUR"


@frozen
class Receipt:
    number: int


@frozen
class Refusal:
    why: str


def refund(data: Charge, error: BaseException) -> None: ...


@trido.action
async def charge(data: Charge) -> Receipt:
    """Charge a card."""
    return Receipt(data.amount)


@trido.action("cards.look", timeout=10.0, policies=[trido.Limit("cards", 4)])
def look(data: Charge) -> Receipt | Refusal:
    return Receipt(data.amount) if data.amount > 0 else Refusal("nothing to charge")


@trido.action("cards.undone", compensate=refund)
def undone(data: Charge) -> Receipt:
    return Receipt(data.amount)


def double(data: int) -> int:
    return data * 2


doubled = trido.action("double")(double)


class Tools:
    @trido.action
    def halve(data: int) -> int:  # noqa: N805  # pyright: ignore[reportGeneralTypeIssues]
        return data // 2


def make() -> trido.Action[Any, Any]:
    def made(data: Any) -> Any: ...

    action: trido.Action[Any, Any] = trido.action(made)
    return action


# What is known ------------------------------------------------------------------------------------


def test_an_action_is_named_after_its_function_or_by_hand() -> None:
    assert (charge.name, look.name, make().name) == ("charge", "cards.look", "made")
    assert repr(look) == "<trido.Action 'cards.look'>"


def test_calling_an_action_calls_the_plain_function() -> None:
    assert_type(look(Charge(1)), Receipt | Refusal)
    assert_type(undone(Charge(1)), Receipt)
    assert_type(doubled, trido.PlainAction[int, int])
    assert look(Charge(0)) == Refusal("nothing to charge")
    with pytest.raises(AttributeError):
        look("nothing is checked")  # type: ignore[arg-type]


async def test_calling_an_async_action_calls_the_plain_function() -> None:
    assert_type(await charge(Charge(1)), Receipt)
    assert await charge(Charge(2)) == Receipt(2)


def test_an_action_says_what_it_takes_and_gives() -> None:
    assert (charge.data, charge.result) == (Charge, Receipt)
    assert (look.timeout, look.policies) == (10.0, (trido.Limit("cards", 4),))
    assert undone.compensate is refund
    assert charge.__doc__ == "Charge a card."
    assert list(inspect.signature(charge).parameters) == ["data"]


def test_without_annotations_data_says_what_it_takes_and_anything_comes_back() -> None:
    @trido.action("bare", data=Charge)
    def bare(data):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
        return data

    assert_type(
        trido.action("x", data=Charge)(lambda data: data.amount), trido.PlainAction[Charge, int]
    )
    assert (bare.data, bare.result) == (Charge, Any)
    assert bare.check("anything") == "anything"


def test_local_names_may_be_used_in_annotations() -> None:
    @frozen
    class Local:
        n: int

    @trido.action
    def use(data: Local) -> Local:
        return data

    assert use.build({"n": 1}) == Local(1)


def test_an_action_does_not_change() -> None:
    with pytest.raises(AttributeError):
        charge.timeout = 1.0  # type: ignore[misc]


# Data and results ---------------------------------------------------------------------------------


def test_data_is_built_strictly_and_an_instance_is_taken_as_it_is() -> None:
    data = Charge(1)
    assert charge.build(data) is data
    assert charge.build({"amount": 1}) == data
    with pytest.raises(trido.InvalidData, match=r"^\$\.amount: expected int, got str$"):
        charge.build({"amount": "1"})
    with pytest.raises(trido.InvalidData, match=r"^\$\.amount: expected int, got str$"):
        charge.build(Charge("1"))  # type: ignore[arg-type]


def test_plain_data_is_frozen() -> None:
    @trido.action
    def keep(data: Any) -> Any:
        return data

    assert keep.build([1, [2]]) == (1, (2,))


@pytest.mark.parametrize(
    ("action", "result", "said"),
    [
        (charge, {"number": 1}, "$: expected Receipt, got dict"),
        (charge, Receipt("1"), "$.number: expected int, got str"),  # type: ignore[arg-type]
        (look, None, "$: expected Receipt | Refusal, got None"),
        (look, Refusal(1), "$.why: expected str, got int"),  # type: ignore[arg-type]
        (doubled, "2", "$: expected int, got str"),
    ],
)
def test_a_wrong_result_names_action_path_and_rule(action: Any, result: Any, said: str) -> None:
    with pytest.raises(trido.InvalidResult) as caught:
        action.check(result)
    assert str(caught.value) == f"the result of action {action.name!r}: {said}"
    assert f"{caught.value.path}: {caught.value.rule}" == said
    assert caught.value.action == action.name


def test_a_right_result_is_given_back_as_it_is() -> None:
    for action, result in [(look, Receipt(1)), (look, Refusal("no")), (doubled, 3)]:
        assert action.check(result) is result  # type: ignore[attr-defined]


class Told(TypedDict):
    a: int


# What is wrong ------------------------------------------------------------------------------------


def no_data() -> None: ...
def two(data: int, more: int) -> None: ...
def by_key(*, data: int) -> None: ...
def unknown(data: Nowhere) -> None: ...  # type: ignore[name-defined] # noqa: F821
def untold(data: Told) -> None: ...
def bare(data) -> None: ...  # type: ignore[no-untyped-def]  # noqa: ANN001
def generator(data: int) -> Iterator[int]:
    yield data


async def async_generator(data: int) -> AsyncIterator[int]:
    yield data


def awaitable(data: int) -> Awaitable[int]:
    return fine(data)


async def fine(data: int) -> int:
    return data


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (no_data, "a function of one positional parameter"),
        (two, "a function of one positional parameter"),
        (by_key, "a function of one positional parameter"),
        (generator, "a function of one positional parameter"),
        (async_generator, "a function of one positional parameter"),
        (unknown, "names that can be looked up"),
        (untold, "told at run time"),
        (bare, "annotated with the type of its 'data', or registered with data="),
        (awaitable, "an async def, if it is to be awaited"),
        (print, r"a function \(def or async def\)"),
        (charge, r"a function \(def or async def\)"),
    ],
)
def test_a_function_that_is_no_action(function: Any, message: str) -> None:
    with pytest.raises(trido.SpecError, match=message):
        trido.action("wrong")(function)


@pytest.mark.parametrize("name", ["", "a b", "a..b", "a.*", 3, b"a", ["a"]])
def test_a_name_that_is_none(name: Any) -> None:
    with pytest.raises(trido.SpecError, match=r"^action: name=.* joined by dots$"):
        trido.action(name)(fine)
    with pytest.raises(trido.SpecError, match=r"^sequence: name="):
        trido.sequence(name, charge)


def test_a_lambda_must_be_named() -> None:
    with pytest.raises(trido.SpecError, match="name='<lambda>'"):
        trido.action(data=int)(lambda data: data)
    assert trido.action("named", data=int)(lambda data: data).name == "named"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"timeout": 0}, "timeout=0"),
        ({"timeout": "1"}, "timeout='1'"),
        ({"timeout": float("nan")}, "timeout=nan"),
        ({"retry": 3}, "retry=3"),
        ({"compensate": "refund"}, r"compensate='refund' .* a function of \(data, error\)"),
        ({"compensate": double}, "compensate="),
        ({"policies": trido.Limit("a", 1)}, "policies="),
        ({"policies": ["a"]}, "policies="),
        ({"policies": [trido.Limit("a", 1), trido.Limit("a", 2)]}, "only one of its kind"),
        ({"policies": [trido.Rate(1, 1.0), trido.Rate(1, 1.0)]}, "only one of its kind"),
        ({"data": str}, "data=.* must be what 'data' is annotated with"),
    ],
)
def test_an_option_that_is_none(options: dict[str, Any], message: str) -> None:
    with pytest.raises(trido.SpecError, match=f"^action .wrong.: .*{message}"):
        trido.action("wrong", **options)(fine)


def test_an_unknown_option() -> None:
    with pytest.raises(TypeError, match="retries"):
        trido.action("wrong", retries=3)(fine)  # type: ignore[call-overload]


# Sequences ----------------------------------------------------------------------------------------


@trido.action
async def confirm(data: Receipt) -> str:
    return f"paid with {data.number}"


def test_a_sequence_takes_what_its_first_takes_and_gives_what_its_last_gives() -> None:
    order = trido.sequence("order.place", charge, confirm)
    assert_type(order, trido.AsyncAction[Charge, str])
    assert (order.name, order.data, order.result) == ("order.place", Charge, str)
    assert order.steps == (charge, confirm)
    assert order.schema()["title"] == "Charge"
    assert order.__doc__ == "charge → confirm"


async def test_calling_a_sequence_calls_the_plain_functions() -> None:
    order = trido.sequence("order.place", undone, confirm)
    assert await order(Charge(3)) == "paid with 3"


Number = NewType("Number", int)


def taking(declared: Any) -> Any:
    return trido.action("taking", data=declared)(lambda data: None)


def giving(declared: Any) -> Any:
    def give(data: Any) -> Any: ...

    give.__annotations__["return"] = declared
    return trido.action("giving")(give)


@pytest.mark.parametrize(
    ("given", "taken"),
    [
        (int, int),
        (bool, int),
        (int, float),
        (Number, int),
        (Annotated[int, "of pages"], Number),
        (int | None, int),
        (int, str | int),
        (str, datetime),
        (dict[str, Any], Charge),
        (list[int], tuple[int, ...]),
        (Any, Charge),
        (Charge, Any),
        (object, Charge),
        (None, None),
    ],
)
def test_a_step_that_may_take_what_the_one_before_gives(given: Any, taken: Any) -> None:
    assert trido.sequence("fits", giving(given), taking(taken)).steps


@pytest.mark.parametrize(
    ("given", "taken"),
    [
        (int, str),
        (float, int),
        (str, bytes),
        (None, Charge),
        (Receipt, Charge),
        (Receipt | None, Charge | str),
        (int, Charge),
        (Charge, int),
    ],
)
def test_a_step_that_can_never_take_what_the_one_before_gives(given: Any, taken: Any) -> None:
    with pytest.raises(trido.SpecError, match="an action that takes what 'giving' gives"):
        trido.sequence("wrong", giving(given), taking(taken))


def test_a_sequence_is_of_actions() -> None:
    wrong: list[tuple[Any, ...]] = [(), (double,), (charge, "confirm")]
    for steps in wrong:
        with pytest.raises(trido.SpecError, match="one action or more"):
            trido.sequence("wrong", *steps)


def test_type_checkers_see_a_step_that_cannot_follow() -> None:
    with pytest.raises(trido.SpecError):
        trido.sequence("wrong", confirm, charge)  # type: ignore[misc]  # pyright: ignore[reportArgumentType]


# Where --------------------------------------------------------------------------------------------


def test_where_an_action_can_run() -> None:
    for action in (charge, look, undone, doubled, trido.sequence("s", charge)):
        check_where(action, "task")
    for action in (look, doubled, Tools.halve):
        check_where(action, "thread")
        check_where(action, "process")
    check_where(undone, "process")


@pytest.mark.parametrize(
    ("action", "where", "message"),
    [
        (look, "moon", "one of 'task', 'thread', 'process'"),
        (charge, "thread", "'task' for an async def or a sequence"),
        (charge, "process", "'task' for an async def or a sequence"),
        (trido.sequence("s", look), "thread", "'task' for an async def or a sequence"),
        (undone, "thread", "a thread cannot be stopped"),
        (make(), "process", "cannot be imported by its name"),
    ],
)
def test_where_an_action_cannot_run(action: Any, where: Any, message: str) -> None:
    with pytest.raises(trido.SpecError, match=f"^action '{action.name}': where=.*{message}"):
        check_where(action, where)


def test_what_another_process_imports() -> None:
    assert importable(look) is look
    assert importable(doubled) is double
    assert importable(Tools.halve) is Tools.halve
    again = trido.action("look.again")(look.function)
    assert importable(again) is look


def test_an_action_is_pickled_by_its_name() -> None:
    assert pickle.loads(pickle.dumps(look)) is look
    assert pickle.loads(pickle.dumps(Tools.halve)) is Tools.halve
    assert copy.deepcopy(look) is look
    with pytest.raises((pickle.PicklingError, AttributeError)):
        pickle.dumps(make())


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (trido.ActionTimeout("a", 2.0), "action 'a' took longer than 2 s"),
        (trido.ActionTimeout("a", 2.0, abandoned=True), "abandoned and may still be at work"),
        (trido.InvalidResult("a", "$", "no"), "the result of action 'a': $: no"),
        (trido.BreakerOpen("a", 1.5), "breaker 'a' is open: try again in 1.5 s"),
        (trido.BreakerOpen("a", 0.0), "breaker 'a' is open: an attempt is being made"),
        (trido.StepFailed("s", "a", 2), "step 2 of 's' failed: 'a'"),
        (trido.CompensationFailed("a"), "the compensation of action 'a' failed"),
        (trido.WorkerDied("a"), "the process that ran action 'a' died"),
    ],
)
def test_errors_speak_and_can_be_pickled(error: Exception, said: str) -> None:
    assert said in str(error)
    assert isinstance(error, trido.AgentError)
    again = pickle.loads(pickle.dumps(error))
    assert (type(again), vars(again), str(again)) == (type(error), vars(error), str(error))
