"""Values that cannot be are refused word for word: actions, policies, directives and signals."""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable, Coroutine
from datetime import UTC, datetime
from typing import Annotated, Any, NewType, Protocol

import pytest
from attrs import frozen

import trido
from trido.agents.address import AgentId
from trido.agents.breaker import CLOSED, BreakerState, admit, refusal, tell
from trido.agents.family import ChildExit, ChildStarted, Orphaned
from trido.agents.kept import KeptTimer, row_of
from trido.agents.limits import check_limits
from trido.agents.policies import leaves
from trido.agents.running import RunFailed
from trido.agents.sequences import _may_pass
from trido.agents.versions import FIRST, version_of

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
NOTE = trido.Signal("note")
REF = AgentId("a")
TEXT = "a non-empty string"
AT_LEAST_1 = "an int >= 1"
NAMES = "segments of letters, digits, _ and -, joined by dots"


@frozen
class State:
    pass


@frozen
class Charge:
    amount: int = 0


@frozen
class Receipt:
    number: int = 0


agent = trido.Agent("child", state=State)


def charge(data: Charge) -> Receipt:
    return Receipt(data.amount)


def undo(data: Charge, error: BaseException) -> None: ...


def unsaid(data):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN201
    return data


def awaits(data: Charge) -> Awaitable[int]: ...  # type: ignore[empty-body]  # only its types matter


def begins(data: Charge) -> Coroutine[Any, Any, int]: ...  # type: ignore[empty-body]  # only its types matter


def two(data: Charge, more: int) -> None: ...


def generates(data: Charge) -> Any:
    yield data


charging = trido.action("charge")(charge)


@trido.action("print")
async def printing(data: Receipt) -> str:
    return str(data.number)


@trido.action
def counting(data: str) -> int:
    return len(data)


@trido.action
def twice(data: int) -> float:
    return data * 2.0


def refused(make: Callable[..., object], *args: Any, **fields: Any) -> str:
    with pytest.raises(trido.SpecError) as caught:
        make(*args, **fields)
    return str(caught.value)


def no(what: str, allowed: str) -> str:
    return f"{what} is not allowed; it must be {allowed}"


# Policies -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("make", "what", "allowed"),
    [
        (lambda: trido.Limit("", 1), "Limit: name=''", TEXT),
        (lambda: trido.Limit("a", 0), "Limit: n=0", AT_LEAST_1),
        (lambda: trido.Limit("a", math.inf), "Limit: n=inf", AT_LEAST_1),  # type: ignore[arg-type]  # wrong on purpose
        (lambda: trido.Rate(0, 1.0), "Rate: n=0", AT_LEAST_1),
        (lambda: trido.Rate(math.inf, 1.0), "Rate: n=inf", AT_LEAST_1),  # type: ignore[arg-type]  # wrong on purpose
        (lambda: trido.Rate(1, 0), "Rate: per=0", "a number of seconds > 0"),
        (lambda: trido.Rate(1, math.inf), "Rate: per=inf", "a finite number of seconds >= 0"),
        (lambda: trido.Rate(1, 1.0, name=""), "Rate: name=''", TEXT),
        (lambda: trido.Breaker(0, 1.0, 1.0), "Breaker: failures=0", AT_LEAST_1),
        (lambda: trido.Breaker(math.inf, 1.0, 1.0), "Breaker: failures=inf", AT_LEAST_1),  # type: ignore[arg-type]  # wrong on purpose
        (lambda: trido.Breaker(1, 0, 1.0), "Breaker: within=0", "a number of seconds > 0"),
        (lambda: trido.Breaker(1, -1, 1.0), "Breaker: within=-1", "a number of seconds >= 0"),
        (lambda: trido.Breaker(1, 1.0, 0), "Breaker: open_for=0", "a number of seconds > 0"),
        (
            lambda: trido.Breaker(1, 1.0, math.inf),
            "Breaker: open_for=inf",
            "a finite number of seconds >= 0",
        ),
        (lambda: trido.Breaker(1, 1.0, 1.0, name=""), "Breaker: name=''", TEXT),
        (lambda: trido.Retry(0, on=OSError), "Retry: attempts=0", AT_LEAST_1),
        (lambda: trido.Retry(math.inf, on=OSError), "Retry: attempts=inf", AT_LEAST_1),  # type: ignore[arg-type]  # wrong on purpose
        (
            lambda: trido.Retry(2, on=int),  # type: ignore[arg-type]  # wrong on purpose
            "Retry: on=<class 'int'>",
            "an Exception class or a tuple of Exception classes",
        ),
        (
            lambda: trido.Retry(2, on=()),
            "Retry: on=()",
            "the errors to try again after; a Reject is an answer, and never one of them",
        ),
        (
            lambda: trido.Retry(2, on=trido.Reject),
            f"Retry: on={trido.Reject!r}",
            "the errors to try again after; a Reject is an answer, and never one of them",
        ),
        (
            lambda: trido.Retry(2, on=OSError, backoff=1.0),  # type: ignore[arg-type]  # wrong on purpose
            "Retry: backoff=1.0",
            "a trido.Backoff or None",
        ),
    ],
)
def test_a_policy_that_cannot_be(make: Any, what: str, allowed: str) -> None:
    assert refused(make) == no(what, allowed)


def test_a_policy_says_what_it_was_given() -> None:
    backoff = trido.Backoff()
    retry = trido.Retry(1, on=OSError, backoff=backoff)
    assert (retry.attempts, retry.on, retry.backoff) == (1, (OSError,), backoff)
    assert trido.Limit("a", 1).n == trido.Rate(1, 0.5, name="r").n == 1
    assert trido.Breaker(1, math.inf, 0.5, name="b").within == math.inf


def test_an_error_that_was_derived_from_is_tried_again_and_what_is_no_error_never() -> None:
    assert trido.Retry(2, on=OSError).again(1, ExceptionGroup("", [ConnectionError()]))
    inner = BaseExceptionGroup("", [OSError(1), KeyboardInterrupt()])
    assert [type(one) for one in leaves(BaseExceptionGroup("", [inner, ValueError()]))] == [
        OSError,
        KeyboardInterrupt,
        ValueError,
    ]


def test_a_rate_counts_its_n_latest() -> None:
    rate = trido.Rate(2, 10.0)
    assert rate.earliest([1.0, 5.0, 6.0], 7.0) == 15.0
    assert rate.earliest([5.0, 6.0], 15.0) == 15.0
    assert trido.Rate(1, 10.0).earliest([5.0, 6.0], 7.0) == 16.0


def test_a_breaker_opens_at_its_number_and_never_before_its_time() -> None:
    breaker = trido.Breaker(2, within=10.0, open_for=5.0)
    one = tell(breaker, CLOSED, 0, "failed", 1.0)
    assert one == BreakerState("closed", 0, (1.0,), 0.0)
    assert tell(breaker, one, 0, "failed", 11.0) == BreakerState("closed", 0, (11.0,))
    opened = tell(breaker, one, 0, "failed", 10.9)
    assert opened == BreakerState("open", 1, (), 15.9)
    assert refusal(opened, 15.8) == pytest.approx(0.1)
    assert refusal(opened, 15.9) is None
    probing = admit(opened)
    assert (probing.standing, probing.era, refusal(probing, 0.0)) == ("half-open", 2, 0.0)
    assert admit(CLOSED) is CLOSED
    assert tell(breaker, probing, 2, "succeeded", 20.0) == BreakerState("closed", 3)
    assert tell(breaker, probing, 2, "failed", 20.0) == BreakerState("open", 3, (), 25.0)
    assert tell(breaker, probing, 2, "nothing", 20.0) == BreakerState("open", 3, (), 15.9)


# Actions ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "what", "allowed"),
    [
        ({"timeout": 0}, "timeout=0", "a number of seconds > 0"),
        ({"timeout": -1}, "timeout=-1", "a number of seconds >= 0"),
        ({"retry": 3}, "retry=3", "a trido.Retry or None"),
        ({"compensate": 3}, "compensate=3", "a function of (data, error) or None"),
        ({"compensate": charge}, f"compensate={charge!r}", "a function of (data, error) or None"),
        ({"policies": 3}, "policies=3", "a sequence of Limit, Rate and Breaker"),
        ({"policies": ["a"]}, "policies=['a']", "a sequence of Limit, Rate and Breaker"),
        (
            {"policies": [trido.Limit("a", 1), trido.Limit("b", 1), trido.Limit("a", 2)]},
            "policies=Limit(name='a', n=2)",
            "the only one of its kind and name",
        ),
        ({"data": str}, "data=<class 'str'>", "what 'data' is annotated with"),
    ],
)
def test_an_option_of_an_action(options: Any, what: str, allowed: str) -> None:
    assert refused(trido.action("it", **options), charge) == no(f"action 'it': {what}", allowed)


@pytest.mark.parametrize(
    ("function", "allowed"),
    [
        (unsaid, "annotated with the type of its 'data', or registered with data="),
        (awaits, "an async def, if it is to be awaited"),
        (begins, "an async def, if it is to be awaited"),
        (two, "a function of one positional parameter"),
        (generates, "a function of one positional parameter"),
        (print, "a function (def or async def)"),
    ],
)
def test_a_function_that_is_no_action(function: Any, allowed: str) -> None:
    assert refused(trido.action("it"), function) == no(
        f"action 'it': function={function!r}", allowed
    )
    assert refused(trido.action(), print) == no(
        f"action: function={print!r}", "a function (def or async def)"
    )


class CannotBeTold(Protocol):
    """A protocol: whether a value is one cannot be told."""

    value: int


def takes_untold(data: CannotBeTold) -> int: ...  # type: ignore[empty-body]  # only its types matter


def gives_untold(data: int) -> CannotBeTold: ...  # type: ignore[empty-body]  # only its types matter


def of_nothing_known(data: Nowhere) -> None: ...  # type: ignore[name-defined]  # noqa: F821  # wrong on purpose


def test_what_an_action_takes_and_gives_can_be_looked_up_and_told() -> None:
    for function in (takes_untold, gives_untold):
        assert refused(trido.action("it"), function) == no(
            f"action 'it': annotations={CannotBeTold!r}",
            "a type whose values can be told at run time",
        )
    assert refused(trido.action("it"), of_nothing_known) == no(
        f"action 'it': annotations={of_nothing_known!r}",
        (
            "annotated with names that can be looked up where it is defined (name 'Nowhere' is"
            " not defined)"
        ),
    )


def test_an_action_is_plain_or_async_as_its_function_is() -> None:
    async def later(data: int) -> int:
        return data

    assert type(trido.action("now")(charge)) is trido.PlainAction
    assert type(trido.action("later")(later)) is trido.AsyncAction


def test_an_action_has_a_name_of_segments() -> None:
    for name in ("", "a.*", "a..b", 3):
        made: Any = trido.action
        assert refused(made(name), charge) == no(f"action: name={name!r}", NAMES)
        assert refused(trido.sequence, name, charging) == no(f"sequence: name={name!r}", NAMES)
    bare: Any = trido.action(data=Charge)
    assert refused(bare, lambda data: data) == no("action: name='<lambda>'", NAMES)
    assert bare(charge).name == "charge"


def test_an_action_is_what_was_said_of_it() -> None:
    retry, limit = trido.Retry(2, on=OSError), trido.Limit("a", 1)
    full = trido.action("full", timeout=2.0, retry=retry, compensate=undo, policies=[limit])(charge)
    assert (full.timeout, full.retry, full.compensate, full.policies) == (
        2.0,
        retry,
        undo,
        (limit,),
    )
    assert (charging.timeout, charging.retry, charging.compensate) == (math.inf, None, None)
    assert (charging.policies, charging.steps, charging.function) == ((), (), charge)
    shown: Any = full
    assert (shown.__module__, shown.__name__, shown.__qualname__) == (__name__, "charge", "charge")
    assert shown.__wrapped__ is charge
    assert charging.schema() == {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Charge",
        "type": "object",
        "properties": {"amount": {"type": "integer"}},
        "additionalProperties": False,
    }


def test_an_annotation_of_any_may_be_said_by_data() -> None:
    def anything(data: Any) -> Any:
        return data

    made = trido.action("anything", data=Charge)(anything)
    assert (made.data, made.build({"amount": 2})) == (Charge, Charge(2))
    same = trido.action("same", data=Charge)(charge)
    assert (same.data, same.result) == (Charge, Receipt)


def test_what_is_nested_in_itself_is_no_data_and_a_wrong_result_names_the_action() -> None:
    items: list[Any] = []
    items.append(items)
    with pytest.raises(trido.InvalidData) as caught:
        charging.build(items)
    assert str(caught.value) == "$: expected data nested less deeply, and not in itself"
    wrong: Any = 3
    with pytest.raises(trido.InvalidResult) as result:
        charging.check(wrong)
    assert str(result.value) == "the result of action 'charge': $: expected Receipt, got int"
    assert (result.value.action, result.value.path) == ("charge", "$")


# Sequences ----------------------------------------------------------------------------------------


def test_a_sequence_is_of_actions_that_fit() -> None:
    assert refused(trido.sequence, "two") == no("sequence 'two': steps=()", "one action or more")
    made: Any = trido.sequence
    assert refused(made, "two", charging, 3) == no(
        f"sequence 'two': steps=({charging!r}, 3)", "one action or more"
    )
    assert refused(made, "two", printing, charging) == no(
        f"sequence 'two': steps={charging!r}",
        "an action that takes what 'print' gives: <class 'str'>",
    )


async def test_a_sequence_is_its_steps() -> None:
    both = trido.sequence("both", charging, printing)
    shown: Any = both
    assert (both.name, shown.__name__, shown.__qualname__) == ("both", "both", "both")
    assert (both.data, both.result, both.steps) == (Charge, str, (charging, printing))
    assert both.__doc__ == "charge → print"
    assert (both.parameters, both.results) == (charging.parameters, printing.results)
    assert await both(Charge(3)) == "3"
    assert both.check("x") == "x"
    three = trido.sequence("three", both, counting, twice)
    assert (three.result, three.results) == (float, twice.results)
    assert await three(Charge(30)) == 4.0


Pages = NewType("Pages", int)


@pytest.mark.parametrize(
    ("given", "taken", "may"),
    [
        (int, float, True),
        (float, int, False),
        (bool, int, True),
        (int, bool, True),
        (Pages, str, False),
        (Annotated[Pages, "x"], int, True),
        (Annotated[Pages, "x"], str, False),
        (None, str, False),
        (int | str, bytes | str, True),
        (int | str, bytes | None, False),
        (None, type(None), True),
        (list[int], str, True),
        (str, list[int], True),
        (Any, str, True),
        (Charge, Receipt, False),
        (Charge, str, False),
        (int, Charge, False),
    ],
)
def test_what_the_one_gives_the_other_may_take(given: Any, taken: Any, may: bool) -> None:  # noqa: FBT001  # pytest gives it by name
    assert _may_pass(given, taken) is may


# Directives ---------------------------------------------------------------------------------------


YEARS = "a number of seconds from 0 to 3155760000, a hundred years"
CRON = "Cron '0 0 * * *'"
CATCH_UP = "one of 'skip', 'once', 'all'"


def cron(**fields: Any) -> trido.Cron:
    return trido.Cron(**{"expr": "0 0 * * *", "signal": NOTE, "key": "k", **fields})


@pytest.mark.parametrize(
    ("make", "what", "allowed"),
    [
        (lambda: trido.Schedule(-1, NOTE), "Schedule: after=-1", YEARS),
        (lambda: trido.Schedule(3155760001, NOTE), "Schedule: after=3155760001", YEARS),
        (lambda: trido.Schedule("1", NOTE), "Schedule: after='1'", YEARS),  # type: ignore[arg-type]  # wrong on purpose
        (lambda: trido.Schedule(1, "n"), "Schedule: signal='n'", "a trido.Signal"),  # type: ignore[arg-type]  # wrong on purpose
        (lambda: trido.Schedule(1, NOTE, key=""), "Schedule: key=''", TEXT),
        (lambda: cron(signal="n"), f"{CRON}: signal='n'", "a trido.Signal"),
        (lambda: cron(key=""), f"{CRON}: key=''", TEXT),
        (lambda: cron(catch_up="x"), f"{CRON}: catch_up='x'", CATCH_UP),
        (lambda: cron(catch_up_limit=0), f"{CRON}: catch_up_limit=0", AT_LEAST_1),
        (lambda: cron(catch_up_limit=math.inf), f"{CRON}: catch_up_limit=inf", AT_LEAST_1),
        (lambda: trido.Cancel(""), "Cancel: key=''", TEXT),
        (lambda: trido.Run(3), "Run: action=3", "a trido.Action"),  # type: ignore[arg-type]  # wrong on purpose
        (
            lambda: trido.Run(charging, where="x"),  # type: ignore[arg-type]  # wrong on purpose
            "action 'charge': where='x'",
            "one of 'task', 'thread', 'process'",
        ),
        (
            lambda: trido.Run(charging, delivery="x"),  # type: ignore[arg-type]  # wrong on purpose
            "Run: delivery='x'",
            "one of 'idempotent', 'keyed', 'at_most_once'",
        ),
        (lambda: trido.Run(charging, ok=""), "Run: ok=''", TEXT),
        (lambda: trido.Run(charging, error=""), "Run: error=''", TEXT),
        (lambda: trido.StopChild(""), "StopChild: tag=''", TEXT),
        (lambda: trido.AdoptChild(REF, ""), "AdoptChild: tag=''", TEXT),
        (lambda: trido.AdoptChild("a", "t"), "AdoptChild: ref='a'", "an agent's ref"),  # type: ignore[arg-type]  # wrong on purpose
        (lambda: trido.Monitor("a"), "Monitor: ref='a'", "an agent's ref"),  # type: ignore[arg-type]  # wrong on purpose
        (lambda: trido.Demonitor("a"), "Demonitor: ref='a'", "an agent's ref"),  # type: ignore[arg-type]  # wrong on purpose
        (lambda: trido.Demonitor(REF, flush=1), "Demonitor: flush=1", "True or False"),  # type: ignore[arg-type]  # wrong on purpose
        (lambda: trido.Link("a"), "Link: ref='a'", "an agent's ref"),  # type: ignore[arg-type]  # wrong on purpose
    ],
)
def test_a_directive_that_cannot_be(make: Any, what: str, allowed: str) -> None:
    assert refused(make) == no(what, allowed)


def spawn(**fields: Any) -> trido.SpawnAgent:
    return trido.SpawnAgent(**{"agent": agent, "tag": "t", **fields})


@pytest.mark.parametrize(
    ("given", "what", "allowed"),
    [
        ({"tag": ""}, "SpawnAgent: tag=''", TEXT),
        ({"id": ""}, "SpawnAgent: id=''", TEXT),
        ({"detached": 1}, "SpawnAgent: detached=1", "True or False"),
        (
            {"on_parent_death": "x"},
            "SpawnAgent: on_parent_death='x'",
            "one of 'stop', 'continue', 'orphan'",
        ),
        ({"agent": 3}, "SpawnAgent: agent=3", "a trido.Agent"),
        ({"settings": 3}, "SpawnAgent: settings=3", "a mapping of names"),
        ({"settings": {"mailbox": 0}}, "Agent 'child': mailbox=0", AT_LEAST_1),
        ({"id": "x", "settings": {"mailbox": 0}}, "Agent 'child': mailbox=0", AT_LEAST_1),
    ],
)
def test_a_child_that_cannot_be(given: Any, what: str, allowed: str) -> None:
    assert refused(spawn, **given) == no(what, allowed)


def test_a_child_may_be_durable_if_its_runtime_can() -> None:
    asked = spawn(id="c", detached=True, on_parent_death="orphan", settings={"durability": "sync"})
    assert asked.settings == {"durability": "sync"}
    assert (asked.id, asked.detached, asked.on_parent_death) == ("c", True, "orphan")
    assert spawn() == trido.SpawnAgent(agent, "t")
    assert (spawn().id, spawn().detached, spawn().on_parent_death) == (None, False, "stop")


def test_parameters_of_a_Run_that_have_no_end_are_refused() -> None:
    items: list[Any] = []
    items.append(items)
    assert refused(trido.Run, charging, items) == no(
        "Run: params=<class 'list'>", "data nested less deeply, and not in itself"
    )


def test_what_the_runtime_tells_is_data() -> None:
    down = trido.Down("a", 2, "crashed", error="ValueError: x")
    assert (down.id, down.incarnation, down.reason, down.error) == (
        "a",
        2,
        "crashed",
        "ValueError: x",
    )
    assert ChildExit("t", down, comes_back=True) == ChildExit("t", down, comes_back=True)
    assert ChildStarted("t", "a", 1, REF).ref is REF
    assert Orphaned("p").parent == "p"
    failed = RunFailed("charge", None, "ValueError", "x")
    assert (failed.action, failed.kind, failed.error) == ("charge", "ValueError", "x")


def test_a_timer_with_a_key_never_meets_one_without() -> None:
    assert (row_of("k"), row_of("k", "3.0"), row_of(None, "3.0")) == ("=k", "=k", "#3.0")
    assert row_of(None) == "#"
    kept = KeptTimer(trido.Schedule(1, NOTE), "3.0", NOON)
    assert (kept.row, kept.last) == ("#3.0", None)
    assert KeptTimer(cron(), "3.0", NOON, last=NOON).row == "=k"


# Limits, versions and signals ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("limits", "what", "allowed"),
    [
        ((0, 64), "max_bytes=0", "an int >= 1 or math.inf"),
        ((1.5, 64), "max_bytes=1.5", "an int >= 1 or math.inf"),
        ((1, 0), "depth=0", AT_LEAST_1),
        ((1, math.inf), "depth=inf", AT_LEAST_1),
        ((1, 257), "depth=257", "an int <= 256"),
    ],
)
def test_a_limit_that_is_none(limits: tuple[Any, Any], what: str, allowed: str) -> None:
    assert refused(check_limits, "read", *limits) == no(f"read: {what}", allowed)


def test_the_limits_there_may_be() -> None:
    check_limits("read", math.inf, 256)
    check_limits("read", 1, 1)


def test_upgrades_lead_from_what_was_found_to_what_is_written() -> None:
    upgrades: Any = {2: lambda data: [*data, 2], 3: lambda data: [*data, 3]}
    version = version_of("it", 4, upgrades)
    assert (version.number, version.oldest) == (4, 2)
    assert version.upgrade([], 2) == [2, 3]
    assert version.upgrade([], 3) == [3]
    assert version.upgrade([], 4) == []
    assert version_of("it", 1, {}) == FIRST
    assert (FIRST.oldest, FIRST.upgrade("x", 1)) == (1, "x")


UTF8 = "text that UTF-8 can encode"
ZONED = "a datetime with a time zone or None"


@pytest.mark.parametrize(
    ("given", "what", "allowed"),
    [
        ({"type": ""}, "type=''", TEXT),
        ({"type": 3}, "type=3", TEXT),
        ({"id": ""}, "id=''", f"{TEXT} or None"),
        ({"id": 3}, "id=3", f"{TEXT} or None"),
        ({"source": ""}, "source=''", f"{TEXT} or None"),
        ({"id": "\ud800"}, "id='\\ud800'", UTF8),
        ({"source": "\ud800"}, "source='\\ud800'", UTF8),
        ({"time": 3}, "time=3", ZONED),
        ({"attributes": 3}, "attributes=3", "a mapping"),
        (
            {"attributes": {"Up": 1}},
            "attributes='Up'",
            "names of lower-case letters and digits that have no field of their own",
        ),
        (
            {"attributes": {"x": 1.5}},
            "x=1.5",
            ("a string, a bool, an integer of 32 bits, bytes, or a datetime with a time zone"),
        ),
    ],
)
def test_a_signal_that_cannot_be(given: Any, what: str, allowed: str) -> None:
    assert refused(trido.Signal, **{"type": "note", **given}) == no(f"Signal: {what}", allowed)


def test_data_that_has_no_end_is_refused_without_showing_it() -> None:
    items: list[Any] = []
    items.append(items)
    assert refused(trido.Signal, "note", items) == no(
        "Signal 'note': data=<class 'list'>", "data nested less deeply, and not in itself"
    )


def test_a_signal_shows_what_it_says_and_no_secret() -> None:
    full = trido.Signal("a", {"password": "x"}, id="1", time=NOON, attributes={"subject": "s"})
    said = repr(full)
    assert "'x'" not in said
    assert said.startswith("Signal('a', {'password': ")
    assert said.endswith(f"}}, id='1', time={NOON!r}, attributes={{'subject': 's'}})")
    assert repr(trido.Signal("a", source="s")) == "Signal('a', None, source='s')"


@pytest.mark.parametrize("part", ["type", "data", "id", "source", "time", "attributes"])
def test_two_signals_are_one_if_all_they_say_is(part: str) -> None:
    said: dict[str, Any] = {
        "type": "a",
        "data": 1,
        "id": "1",
        "source": "s",
        "time": NOON,
        "attributes": {"subject": "s"},
    }
    other = {"type": "b", "data": 2, "id": "2", "source": "t", "time": None, "attributes": {}}
    one = trido.Signal(**said)
    assert one == trido.Signal(**said)
    assert hash(one) == hash(trido.Signal(**said))
    assert one != trido.Signal(**{**said, part: other[part]})
    assert one.__eq__(3) is NotImplemented


@pytest.mark.parametrize(
    ("read", "of"),
    [
        (lambda **limits: trido.Signal.from_json(b"{}", **limits), "Signal.from_json"),
        (lambda **limits: trido.Signal.batch_from_json(b"[]", **limits), "Signal.batch_from_json"),
        (lambda **limits: trido.Signal.from_http({}, b"", **limits), "Signal.from_http"),
    ],
)
def test_what_reads_a_signal_names_its_limits(read: Any, of: str) -> None:
    assert refused(read, max_bytes=0) == no(f"{of}: max_bytes=0", "an int >= 1 or math.inf")
    assert refused(read, depth=0) == no(f"{of}: depth=0", AT_LEAST_1)
