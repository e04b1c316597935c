"""Section A: specs, and what happens until a supervisor is up."""

from __future__ import annotations

import functools
import gc
import math
import weakref
from collections.abc import Callable
from typing import Any

import pytest
import trio

import trido
from tests.conformance.kit import Log, Worker, at, counts, opened, played, settle, states, story


async def forever() -> None:
    await trio.sleep_forever()


# The cases --------------------------------------------------------------------------------------


@played
async def test_C001_no_children() -> None:
    async with opened() as (sup, log):
        assert states(sup) == ""
        assert counts(sup) == (0, 0, 0, 0)
        sup.stop()
        await sup.wait()
    assert log.take() == ["SUP shutdown"]
    assert counts(sup) == (0, 0, 0, 0)


@played
async def test_C003_each_child_is_ready_before_the_next_begins() -> None:
    a, b, c = (Worker(id, ready_after=1) for id in "abc")
    async with opened(a.spec(), b.spec(), c.spec()) as (sup, log):
        assert trio.current_time() == 3
        assert log.take(timed=True) == ["S a @1", "S b @2", "S c @3"]
        assert states(sup) == "a running 1, b running 1, c running 1"
        assert counts(sup) == (3, 3, 0, 3)


@played
async def test_C003_as_a_task() -> None:
    a, b, c = (Worker(id, ready_after=1) for id in "abc")
    spec = trido.SupervisorSpec(a.spec(), b.spec(), c.spec())
    async with trio.open_nursery() as nursery:
        sup = await nursery.start(trido.supervise, spec)
        assert trio.current_time() == 3
        assert states(sup) == "a running 1, b running 1, c running 1"
        sup.stop()
    assert states(sup) == "a stopped 1, b stopped 1, c stopped 1"


@pytest.mark.parametrize("restart", ["permanent", "transient", "temporary"])
@played
async def test_C004_C007_a_failed_start(restart: Any) -> None:
    error = ValueError()
    a, b, c, d = Worker("a"), Worker("b"), Worker("c", starts=[error]), Worker("d")
    log = Log()
    with pytest.raises(trido.StartFailed) as failed:
        async with trido.open_supervisor(
            a.spec(), b.spec(), c.spec(restart=restart), d.spec(), observers=[log]
        ):
            pytest.fail("it started")
    assert failed.value.id == "c"
    assert failed.value.__cause__ is error
    assert (c.attempts, d.attempts) == (1, 0)
    assert log.only("R start_error(c, ValueError)").reason is error
    assert log.take() == story("S a, S b, R start_error(c, ValueError), K b, K a")


@played
async def test_C005_a_failed_start_stops_the_others_by_their_own_rules() -> None:
    a = Worker("a", cleanup=0.5)
    b = Worker("b", stops="returns")
    c = Worker("c", starts=[ValueError()])
    log = Log()
    with pytest.raises(trido.StartFailed):
        async with trido.open_supervisor(a.spec(), b.spec(), c.spec(), observers=[log]):
            pytest.fail("it started")
    assert trio.current_time() == 0.5
    assert log.take(timed=True) == story("""
        S a @0, S b @0
        R start_error(c, ValueError) @0
        K b normal @0, R shutdown_error(b, normal) @0
        K a @0.5
    """)


@played
async def test_C006_a_failed_start_nests() -> None:
    error = ValueError()
    x, b, cc = Worker("x"), Worker("b"), Worker("cc", starts=[error])
    inner = trido.SupervisorSpec(b.spec(), cc.spec(), id="inner")
    log = Log()
    with pytest.raises(trido.StartFailed) as failed:
        async with trido.open_supervisor(x.spec(), inner, observers=[log]):
            pytest.fail("it started")
    of_inner = failed.value.__cause__
    assert isinstance(of_inner, trido.StartFailed)
    assert (failed.value.id, of_inner.id) == ("inner", "cc")
    assert of_inner.__cause__ is error
    assert log.only("R start_error(cc, ValueError)").path == ("root", "inner")
    assert log.only("R start_error(inner, StartFailed(cc))").path == ("root",)
    assert log.take() == story("""
        S x
        S b, R start_error(cc, ValueError), K b
        R start_error(inner, StartFailed(cc))
        K x
    """)


@played
async def test_C010_two_children_with_one_id() -> None:
    first, second = Worker("a"), Worker("a")
    with pytest.raises(trido.DuplicateChild) as refused:
        async with trido.open_supervisor(first.spec(), second.spec()):
            pytest.fail("it started")
    assert (refused.value.field, refused.value.value) == ("id", "a")
    assert (first.attempts, second.attempts) == (0, 0)


def test_C010_in_an_inner_supervisor() -> None:
    inner = trido.SupervisorSpec(id="forever")
    with pytest.raises(trido.DuplicateChild):
        trido.SupervisorSpec(trido.ChildSpec(forever), inner)


def plain_function() -> None:
    pass


BAD_FUNCTIONS: list[Any] = [plain_function, functools.partial(plain_function), len, None, "forever"]

BAD_TIMES: list[Any] = [-1, math.nan, "1", None, True]

# What `ChildSpec` and the template of a dynamic supervisor share.
BAD_OF_A_CHILD: list[tuple[str, Any]] = [
    *(("restart", bad) for bad in ("prmanent", "", None, 1)),
    *(("shutdown", bad) for bad in (-10, *BAD_TIMES)),
    *(("ready", bad) for bad in ("soon", True)),
    *(("start_timeout", bad) for bad in BAD_TIMES),
    *(("kill_timeout", bad) for bad in BAD_TIMES),
    *(("significant", bad) for bad in ("maybe", None, 1)),
    *(("backoff", bad) for bad in (1.0, True)),
    *(("on_limit", bad) for bad in ("stop", None)),
    *(("restart_on", bad) for bad in ("ValueError", None, ValueError(), (int,), (ValueError, 1))),
    *(("escalate_on", bad) for bad in ("ValueError", None, ValueError(), (int,))),
    *(("heartbeat", bad) for bad in (-1, math.nan, "1", True)),
    *(("id", bad) for bad in ("", 1)),
]

BAD_OF_A_LIMIT: list[tuple[str, Any]] = [
    *(("max_restarts", bad) for bad in (-1, 2.5, math.nan, -math.inf, "3", None, True)),
    *(("max_seconds", bad) for bad in (0, -1, math.inf, math.nan, "5", None, True)),
    *(("max_consecutive", bad) for bad in (-1, 2.5, math.nan, "3", True)),
    *(("shutdown_timeout", bad) for bad in BAD_TIMES),
    *(("id", bad) for bad in ("", 1)),
]

BAD_OF_A_SUPERVISOR: list[tuple[str, Any]] = [
    *(("strategy", bad) for bad in ("simple_one_for_one", "", None)),
    *(("auto_shutdown", bad) for bad in ("always", None, False)),
    *(("restart", bad) for bad in ("prmanent", None)),
    *(("shutdown", bad) for bad in BAD_TIMES),
    *(("start_timeout", bad) for bad in BAD_TIMES),
    *(("significant", bad) for bad in ("maybe", 1)),
    *(("backoff", bad) for bad in (1.0, True)),
]

BAD_OF_A_BACKOFF: list[tuple[str, Any]] = [
    *(("min", bad) for bad in BAD_TIMES),
    *(("max", bad) for bad in (0.05, *BAD_TIMES)),  # less than min
    *(("factor", bad) for bad in (-1, math.nan, "2", None)),
    *(("jitter", bad) for bad in (-0.1, math.nan, "0", None)),
    *(("reset_after", bad) for bad in BAD_TIMES),
]


def refused(make: Callable[..., object], field: str, value: object) -> None:
    with pytest.raises(trido.SpecError) as refusal:
        make(**{field: value})
    assert isinstance(refusal.value, ValueError)
    assert refusal.value.field == field
    assert refusal.value.value is value
    assert refusal.value.allowed


@pytest.mark.parametrize(("field", "value"), BAD_OF_A_CHILD)
def test_C011_a_bad_child(field: str, value: object) -> None:
    refused(functools.partial(trido.ChildSpec, forever), field, value)


@pytest.mark.parametrize("fn", BAD_FUNCTIONS)
def test_C011_not_an_async_function(fn: Any) -> None:
    refused(lambda fn: trido.ChildSpec(fn, id="x"), "fn", fn)
    refused(trido.DynamicSupervisorSpec, "fn", fn)


def test_C011_a_lambda_without_an_id() -> None:
    with pytest.raises(trido.SpecError) as refusal:
        trido.ChildSpec(lambda: forever())  # noqa: PLW0108  # is what this is about
    assert refusal.value.field == "id"


@pytest.mark.parametrize(
    "make",
    [
        functools.partial(trido.ChildSpec, forever),
        trido.SupervisorSpec,
        functools.partial(trido.DynamicSupervisorSpec, forever),
        trido.Backoff,
        trido.open_supervisor,
        functools.partial(trido.open_dynamic_supervisor, forever),
    ],
)
def test_C011_an_unknown_keyword(make: Callable[..., object]) -> None:
    with pytest.raises(TypeError):
        make(restrat="permanent")


def test_C011_other_keywords_beside_spec() -> None:
    opens: Any = trido.open_supervisor
    with pytest.raises(TypeError):
        opens(spec=trido.SupervisorSpec(), max_restarts=3)
    with pytest.raises(TypeError):
        opens(trido.ChildSpec(forever), spec=trido.SupervisorSpec())


@played
async def test_C011_nothing_is_started_before_all_is_checked() -> None:
    a = Worker("a")
    bad: dict[str, Any] = {"restart": "prmanent"}
    with pytest.raises(trido.SpecError):
        async with opened(a.spec(), Worker("b").spec(**bad)):
            pytest.fail("it started")
    with pytest.raises(trido.SpecError):
        async with opened(a.spec(), forever):
            pytest.fail("it started")
    assert a.attempts == 0


@played
async def test_C011_in_start_child() -> None:
    fields: dict[str, Any]
    async with opened(Worker("a").spec()) as (sup, log):
        for fields in ({"restart": "prmanent"}, {"shutdown": -10}, {"id": ""}):
            with pytest.raises(trido.SpecError):
                await sup.start_child(forever, **fields)
        fields = {"restrat": "permanent"}
        with pytest.raises(TypeError):
            await sup.start_child(forever, **fields)
        assert states(sup) == "a running 1"
        assert log.take() == ["S a"]


def test_C012_defaults() -> None:
    spec = trido.ChildSpec(forever)
    assert (spec.fn, spec.args, spec.id) == (forever, (), "forever")
    assert (spec.restart, spec.shutdown, spec.significant) == ("permanent", 5.0, False)
    assert (spec.ready, spec.start_timeout, spec.kill_timeout) == (None, math.inf, 5.0)
    assert (spec.backoff, spec.on_limit, spec.heartbeat) == (None, "escalate", None)
    assert (spec.restart_on, spec.escalate_on) == (Exception, ())


def test_C012_defaults_of_a_supervisor() -> None:
    spec = trido.SupervisorSpec()
    assert (spec.strategy, spec.max_restarts, spec.max_seconds) == ("one_for_one", 3, 5.0)
    assert (spec.auto_shutdown, spec.max_consecutive) == ("never", None)
    assert (spec.shutdown_timeout, spec.start_timeout) == (math.inf, math.inf)
    assert (spec.restart, spec.shutdown, spec.significant) == ("permanent", math.inf, False)


def test_C012_defaults_of_a_dynamic_supervisor() -> None:
    spec = trido.DynamicSupervisorSpec(forever)
    assert (spec.max_children, spec.max_restarts, spec.max_seconds) == (math.inf, 3, 5.0)
    assert (spec.restart, spec.shutdown) == ("permanent", 5.0)


def test_C012_defaults_of_a_backoff() -> None:
    backoff = trido.Backoff()
    assert (backoff.min, backoff.max, backoff.factor) == (0.1, 30.0, 2.0)
    assert (backoff.jitter, backoff.reset_after) == (0.0, 60.0)


@played
async def test_C012_the_id_of_a_root() -> None:
    async with opened(Worker("a").spec()) as (_, log):
        assert log.only("S a").path == ("root",)
    async with opened(Worker("a").spec(), id="tree") as (_, log):
        assert log.only("S a").path == ("tree",)


@pytest.mark.parametrize(("field", "value"), [*BAD_OF_A_LIMIT, *BAD_OF_A_SUPERVISOR])
def test_C013_a_bad_supervisor(field: str, value: object) -> None:
    refused(trido.SupervisorSpec, field, value)
    if field not in {"restart", "shutdown", "significant", "start_timeout", "backoff"}:
        refused(trido.open_supervisor, field, value)


@played
async def test_C013_no_limit_is_allowed() -> None:
    async with opened(max_restarts=math.inf) as (sup, _):
        assert counts(sup) == (0, 0, 0, 0)


@pytest.mark.parametrize("mode", ["never", "any_significant", "all_significant"])
@played
async def test_C014_significant_where_it_cannot_be(mode: Any) -> None:
    bad: list[dict[str, Any]] = [{"restart": "permanent", "significant": True}]
    if mode == "never":
        bad += [{"restart": restart, "significant": True} for restart in ("transient", "temporary")]
    for fields in bad:
        with pytest.raises(trido.SpecError) as refusal:
            trido.SupervisorSpec(Worker("s").spec(**fields), auto_shutdown=mode)
        assert (refusal.value.field, refusal.value.value) == ("significant", True)
        async with opened(Worker("a").spec(), auto_shutdown=mode) as (sup, log):
            with pytest.raises(trido.SpecError) as refusal:
                await sup.start_child(Worker("s").spec(**fields))
            assert refusal.value.field == "significant"
            with pytest.raises(trido.SpecError):
                await sup.start_child(forever, **fields)
            assert states(sup) == "a running 1"
        assert log.take() == story("S a, K a, SUP shutdown")


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("auto_shutdown", "any_significant"),
        ("auto_shutdown", "all_significant"),
        ("strategy", "one_for_all"),
        ("strategy", "rest_for_one"),
        ("significant", True),
        *BAD_OF_A_CHILD[:-2],  # without the ids
        *BAD_OF_A_LIMIT,
        *(("max_children", bad) for bad in (-1, 2.5, math.nan, "3", None, True)),
    ],
)
def test_C015_a_bad_dynamic_supervisor(field: str, value: object) -> None:
    refused(functools.partial(trido.DynamicSupervisorSpec, forever), field, value)


@pytest.mark.parametrize("restart", ["transient", "temporary"])
def test_C015_a_significant_template(restart: Any) -> None:
    make: Callable[..., object] = trido.DynamicSupervisorSpec
    refused(functools.partial(make, forever, restart=restart), "significant", value=True)


@pytest.mark.parametrize("restart", ["permanent", "transient"])
@played
async def test_C018_ignore_keeps_the_place(restart: Any) -> None:
    a = Worker("a", starts=[trido.Ignore(), None])
    async with opened() as (sup, log):
        child = await sup.start_child(a.spec(restart=restart))
        assert (child.state, child.value) == ("stopped", None)
        assert states(sup) == "a stopped 1"
        assert counts(sup) == (1, 0, 0, 1)
        assert await sup.restart_child("a") is child
        assert states(sup) == "a running 2"
    assert log.take() == story("E a ignored, S a api, K a, SUP shutdown")


@played
async def test_C019_ignore_removes_a_temporary_child() -> None:
    a, b, c = (
        Worker("a", starts=[trido.Ignore()]),
        Worker("b"),
        Worker("c", starts=[trido.Ignore()]),
    )
    async with opened(a.spec(restart="temporary"), b.spec()) as (sup, log):
        assert states(sup) == "b running 1"
        child = await sup.start_child(c.spec(restart="temporary"))
        assert (child.state, child.value) == ("removed", None)
        assert states(sup) == "b running 1"
        assert counts(sup) == (1, 1, 0, 1)
    assert log.take() == story("E a ignored, S b, E c ignored, K b, SUP shutdown")


@played
async def test_C020_ignore_in_a_dynamic_supervisor() -> None:
    async def template(error: Exception | None, *, task_status: trio.TaskStatus[str]) -> None:
        if error is not None:
            raise error
        task_status.started("here")
        await trio.sleep_forever()

    log = Log()
    async with trido.open_dynamic_supervisor(template, observers=[log]) as sup:
        first = await sup.start_child(trido.Ignore(), id="first")
        assert (first.state, first.value) == ("removed", None)
        assert states(sup) == ""
        second = await sup.start_child(None, id="second")
        assert second.value == "here"
        assert states(sup) == "second running 1"
        assert counts(sup) == (1, 1, 0, 1)
    assert log.take() == story("E first ignored, S second api, K second, SUP shutdown")
    assert states(sup) == ""


@played
async def test_C021_the_value_of_a_start() -> None:
    crash = trio.Event()
    runs = 0

    async def informed(*, task_status: trio.TaskStatus[str]) -> None:
        nonlocal runs
        runs += 1
        task_status.started(f"info {runs}")
        await crash.wait()
        raise ValueError

    async with opened() as (sup, log):
        child = await sup.start_child(informed, id="a")
        assert child.value == "info 1"
        await sup.stop_child("a")
        again = await sup.restart_child("a")
        assert again.value == "info 2"
        crash.set()
        await child.wait_running(after=2)
        crash = trio.Event()
        await settle()
        assert again.value == f"info {child.incarnation}"
        assert sup["a"].value == again.value
        assert sup["a"].state == "running"
    assert log.take()[:6] == story("""
        S a api, K a, S a api
        E a ValueError, R child_terminated(a, ValueError), S a restart
    """)


# When a child is ready --------------------------------------------------------------------------


async def keyword_only(*, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
    await trio.sleep(1)
    task_status.started()
    await trio.sleep_forever()


async def by_either(task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
    await keyword_only(task_status=task_status)


async def by_position(task_status: Any = trio.TASK_STATUS_IGNORED, /) -> None:
    await keyword_only(task_status=task_status)


async def among_others(**others: Any) -> None:
    await keyword_only(**others)


class CallableObject:
    async def __call__(self, *, task_status: trio.TaskStatus[None]) -> None:
        await keyword_only(task_status=task_status)


@pytest.mark.parametrize(
    ("fn", "fields"),
    [
        (keyword_only, {}),
        (by_either, {}),
        (functools.partial(keyword_only), {}),
        (CallableObject(), {}),
        (CallableObject().__call__, {}),
        (keyword_only, {"ready": "started"}),
        (among_others, {"ready": "started"}),
    ],
)
@played
async def test_ready_when_it_says_so(fn: Any, fields: Any) -> None:
    async with opened(trido.ChildSpec(fn, id="a", **fields)):
        assert trio.current_time() == 1


@pytest.mark.parametrize(
    ("fn", "args", "fields"),
    [
        (by_position, [], {}),
        (by_either, [trio.TASK_STATUS_IGNORED], {}),
        (among_others, [], {}),
        (functools.partial(keyword_only, task_status=trio.TASK_STATUS_IGNORED), [], {}),
        (functools.partial(by_either, trio.TASK_STATUS_IGNORED), [], {}),
        (keyword_only, [], {"ready": "scheduled"}),
        (lambda: keyword_only(), [], {}),  # noqa: PLW0108  # not what it calls
    ],
)
@played
async def test_ready_once_its_task_exists(fn: Any, args: list[Any], fields: Any) -> None:
    async with opened(trido.ChildSpec(fn, *args, id="a", **fields)):
        assert trio.current_time() == 0


@pytest.mark.parametrize("error", [ValueError(), trido.Ignore()])
@played
async def test_nothing_a_scheduled_child_raises_is_a_start_failure(error: Exception) -> None:
    a = Worker("a", starts=[error, None])
    async with opened(a.plain()) as (sup, log):
        await settle()
        assert states(sup) == "a running 2"
    name = type(error).__name__
    assert log.take() == story(f"""
        S a
        E a {name}, R child_terminated(a, {name}), S a restart
        K a, SUP shutdown
    """)


@pytest.mark.parametrize("error", [trido.Shutdown(), trido.Escalate(), ValueError()])
@played
async def test_shutdown_and_escalate_before_ready_are_start_failures(error: Exception) -> None:
    a, b = Worker("a"), Worker("b", starts=[error])
    log = Log()
    with pytest.raises(trido.StartFailed) as failed:
        async with trido.open_supervisor(a.spec(), b.spec(), observers=[log]):
            pytest.fail("it started")
    assert failed.value.__cause__ is error
    assert log.take() == story(f"S a, R start_error(b, {type(error).__name__}), K a")


@played
async def test_a_group_of_one_is_its_leaf() -> None:
    error = ValueError()
    a = Worker("a", starts=[ExceptionGroup("", [ExceptionGroup("", [error])])])
    with pytest.raises(trido.StartFailed) as failed:
        async with opened(a.spec()):
            pytest.fail("it started")
    assert failed.value.__cause__ is error


@played
async def test_a_fatal_error_before_ready() -> None:
    fatal = KeyboardInterrupt()
    a, b, c = Worker("a"), Worker("b", starts=[fatal]), Worker("c")
    log = Log()
    with pytest.raises(KeyboardInterrupt) as raised:
        async with trido.open_supervisor(a.spec(), b.spec(), c.spec(), observers=[log]):
            pytest.fail("it started")
    assert raised.value is fatal
    assert c.attempts == 0
    assert log.take() == story("S a, E b KeyboardInterrupt, K a, SUP fatal")


@played
async def test_a_failed_start_nests_through_three_levels() -> None:
    error = ValueError()
    x, y, w = Worker("x"), Worker("y"), Worker("w", starts=[error])
    low = trido.SupervisorSpec(w.spec(), id="low")
    mid = trido.SupervisorSpec(y.spec(), low, id="mid", restart="temporary")
    log = Log()
    with pytest.raises(trido.StartFailed) as failed:
        async with trido.open_supervisor(x.spec(), mid, observers=[log]):
            pytest.fail("it started")
    chain: list[BaseException] = []
    link: BaseException | None = failed.value
    while link is not None:
        chain.append(link)
        link = link.__cause__
    assert [getattr(one, "id", None) for one in chain] == ["mid", "low", "w", None]
    assert chain[-1] is error
    assert log.take() == story("""
        S x, S y
        R start_error(w, ValueError)
        R start_error(low, StartFailed(w)), K y
        R start_error(mid, StartFailed(low)), K x
    """)


# While a supervisor starts ----------------------------------------------------------------------


@played
async def test_an_earlier_child_crashes_while_a_later_one_starts() -> None:
    a, b, c = Worker("a"), Worker("b", ready_after=1), Worker("c", ready_after=1)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(at, 0.5, a.crash)
        async with opened(a.spec(), b.spec(), c.spec()) as (sup, log):
            await settle()
            assert states(sup) == "a running 2, b running 1, c running 1"
            assert log.take(timed=True) == story("""
                S a @0, S b @1, S c @2
                E a ValueError @2, R child_terminated(a, ValueError) @2, S a restart @2
            """)


@played
async def test_an_earlier_child_crashes_while_startup_fails() -> None:
    a, b, c = Worker("a"), Worker("b"), Worker("c", ready_after=1, starts=[OSError()])
    log = Log()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(at, 0.5, a.crash)
        with pytest.raises(trido.StartFailed) as failed:
            async with trido.open_supervisor(a.spec(), b.spec(), c.spec(), observers=[log]):
                pytest.fail("it started")
    assert failed.value.id == "c"
    assert a.attempts == 1
    assert log.take() == story("""
        S a, S b
        R start_error(c, OSError)
        K b
        E a ValueError, R shutdown_error(a, ValueError)
    """)


@played
async def test_a_cancelled_startup_stops_in_order() -> None:
    a, b = Worker("a", cleanup=0.25), Worker("b", cleanup=0.25)
    c, d = Worker("c", ready_after=1), Worker("d")
    log = Log()
    with trio.move_on_after(0.5) as scope:
        async with trido.open_supervisor(*(w.spec() for w in (a, b, c, d)), observers=[log]):
            pytest.fail("it started")
    assert scope.cancelled_caught
    assert d.attempts == 0
    assert log.take(timed=True) == story("S a @0, S b @0, K b @0.75, K a @1, SUP cancelled @1")


@played
async def test_a_child_may_ask_while_its_supervisor_starts() -> None:
    n = Worker("n")
    asked = list[float]()

    async def a(*, task_status: trio.TaskStatus[None]) -> None:
        task_status.started()
        sup: Any = trido.current_child().supervisor
        await sup.start_child(n.spec())
        asked.append(trio.current_time())
        await trio.sleep_forever()

    async with opened(trido.ChildSpec(a), Worker("b", ready_after=1).spec()) as (sup, log):
        await settle()
        assert asked == [1]
        assert states(sup) == "a running 1, b running 1, n running 1"
        assert log.take(timed=True) == ["S a @0", "S b @1", "S n api @1"]


@played
async def test_a_request_while_startup_fails() -> None:
    n = Worker("n")
    refusals = list[float]()

    async def a(*, task_status: trio.TaskStatus[None]) -> None:
        task_status.started()
        sup: Any = trido.current_child().supervisor
        with pytest.raises(trido.SupervisorStopped):
            await sup.start_child(n.spec())
        refusals.append(trio.current_time())
        await trio.sleep_forever()

    with pytest.raises(trido.StartFailed):
        async with opened(
            trido.ChildSpec(a),
            Worker("b", cleanup=1).spec(),
            Worker("c", ready_after=1, starts=[ValueError()]).spec(),
        ):
            pytest.fail("it started")
    assert refusals == [1]
    assert n.attempts == 0


# Callers of start_child -------------------------------------------------------------------------


@played
async def test_a_start_that_has_begun_is_carried_through() -> None:
    n = Worker("n", ready_after=1)
    async with opened() as (sup, log):
        with trio.move_on_after(0.5) as scope:
            await sup.start_child(n.spec())
        assert scope.cancelled_caught
        assert trio.current_time() == 0.5
        assert states(sup) == "n starting 1"
        await sup["n"].wait_running()
        assert log.take(timed=True) == ["S n api @1"]
        assert states(sup) == "n running 1"


@played
async def test_a_start_that_has_begun_and_fails_is_reported() -> None:
    n = Worker("n", ready_after=1, starts=[ValueError()])
    async with opened(Worker("a").spec(), max_restarts=0) as (sup, log):
        with trio.move_on_after(0.5):
            await sup.start_child(n.spec())
        await trio.sleep(1)
        assert log.take(timed=True) == ["S a @0", "R start_error(n, ValueError) @1"]
        assert states(sup) == "a running 1"


@played
async def test_a_start_that_has_not_begun_is_withdrawn() -> None:
    m, n, o = Worker("m", ready_after=1), Worker("n"), Worker("o")
    async with opened() as (sup, log), trio.open_nursery() as nursery:
        nursery.start_soon(sup.start_child, m.spec())
        await settle()
        nursery.start_soon(sup.start_child, o.spec())
        with trio.move_on_after(0.5) as scope:
            await sup.start_child(n.spec())
        assert scope.cancelled_caught
        await trio.sleep(1)
        assert n.attempts == 0
        assert log.take(timed=True) == ["S m api @1", "S o api @1"]
        assert states(sup) == "m running 1, o running 1"


@played
async def test_a_cancelled_caller_starts_nothing() -> None:
    n = Worker("n")
    async with opened() as (sup, log):
        with trio.CancelScope() as scope:
            scope.cancel()
            await sup.start_child(n.spec())
        assert scope.cancelled_caught
        await settle()
        assert n.attempts == 0
        assert log.take() == []


@played
async def test_requests_of_a_stopping_supervisor_are_refused_at_once() -> None:
    a, m, n = Worker("a", cleanup=1), Worker("m", ready_after=1), Worker("n")
    refusals = list[float]()

    async def ask(sup: trido.Supervisor, worker: Worker) -> None:
        with pytest.raises(trido.SupervisorStopped):
            await sup.start_child(worker.spec())
        refusals.append(trio.current_time())

    async with opened(a.spec()) as (sup, log), trio.open_nursery() as nursery:
        nursery.start_soon(ask, sup, m)
        await settle()
        nursery.start_soon(ask, sup, n)
        await trio.sleep(0.5)
        sup.stop()
        await sup.wait()
        assert refusals == [0.5, 0.5]
        assert n.attempts == 0
        assert log.take(timed=True) == ["S a @0", "K a @1.5", "SUP shutdown @1.5"]


@played
async def test_stop_child_waits_for_the_start() -> None:
    n = Worker("n", ready_after=1)
    async with opened() as (sup, log), trio.open_nursery() as nursery:
        nursery.start_soon(sup.start_child, n.spec())
        await trio.sleep(0.5)
        await sup.stop_child("n")
        assert trio.current_time() == 1
        assert log.take(timed=True) == ["S n api @1", "K n @1"]
        assert states(sup) == "n stopped 1"


@played
async def test_start_child_of_a_supervisor() -> None:
    w = Worker("w")
    inner = trido.SupervisorSpec(w.spec(), id="inner")
    async with opened(Worker("a").spec()) as (sup, log):
        child = await sup.start_child(inner)
        assert states(child.value) == "w running 1"
        assert counts(sup) == (2, 2, 1, 1)
    assert log.take() == story(
        "S a, S w, S inner api, K w, SUP inner shutdown, K inner, K a, SUP shutdown"
    )


@played
async def test_start_child_of_a_supervisor_that_fails_to_start() -> None:
    error = ValueError()
    inner = trido.SupervisorSpec(Worker("v").spec(), Worker("w", starts=[error]).spec(), id="inner")
    async with opened(Worker("a").spec(), max_restarts=0) as (sup, log):
        with pytest.raises(trido.StartFailed) as failed:
            await sup.start_child(inner)
        assert failed.value.id == "inner"
        assert isinstance(failed.value.__cause__, trido.StartFailed)
        assert failed.value.__cause__.__cause__ is error
        assert states(sup) == "a running 1"
        assert log.take() == story("S a, S v, R start_error(w, ValueError), K v")


# Specs ------------------------------------------------------------------------------------------


def test_ids_come_through_partial() -> None:
    twice = functools.partial(functools.partial(forever))
    assert trido.ChildSpec(twice).id == "forever"


def test_an_object_has_no_name_to_be_its_id() -> None:
    nameless: Any = CallableObject()
    with pytest.raises(trido.SpecError) as refusal:
        trido.ChildSpec(nameless)
    assert refusal.value.field == "id"


@pytest.mark.parametrize(
    "inner",
    [trido.SupervisorSpec(), trido.DynamicSupervisorSpec(forever)],
    ids=["static", "dynamic"],
)
@played
async def test_an_inner_supervisor_needs_an_id(inner: Any) -> None:
    with pytest.raises(trido.SpecError) as refusal:
        trido.SupervisorSpec(inner)
    assert refusal.value.field == "id"
    async with opened() as (sup, log):
        with pytest.raises(trido.SpecError):
            await sup.start_child(inner)
        assert states(sup) == ""
    assert log.take() == ["SUP shutdown"]


@pytest.mark.parametrize("strategy", ["one_for_all", "rest_for_one"])
@played
async def test_no_parking_in_a_group(strategy: Any) -> None:
    spec = Worker("a").spec(on_limit="park")
    with pytest.raises(trido.SpecError) as refusal:
        trido.SupervisorSpec(spec, strategy=strategy)
    assert refusal.value.field == "on_limit"
    async with opened(strategy=strategy) as (sup, _):
        with pytest.raises(trido.SpecError):
            await sup.start_child(spec)
        assert states(sup) == ""


@pytest.mark.parametrize(("field", "value"), BAD_OF_A_BACKOFF)
def test_a_bad_backoff(field: str, value: object) -> None:
    refused(trido.Backoff, field, value)


@played
async def test_every_run_gets_the_same_arguments() -> None:
    seen = list[object]()
    crash = trio.Event()
    argument = object()

    async def child(argument: object) -> None:
        seen.append(argument)
        await crash.wait()
        raise ValueError

    spec = trido.ChildSpec(child, argument)
    async with opened(spec) as (sup, _):
        await settle()
        crash.set()
        await sup["child"].wait_running(after=1)
        crash = trio.Event()
        await settle()
    assert len(seen) > 1
    assert all(one is argument for one in seen)


@played
async def test_arguments_of_a_temporary_child_are_not_kept() -> None:
    class Heavy:
        pass

    async def child(heavy: Heavy) -> None:
        del heavy
        await trio.sleep_forever()

    async def start(sup: trido.Supervisor) -> weakref.ref[Heavy]:
        heavy = Heavy()
        await sup.start_child(child, heavy, restart="temporary")
        return weakref.ref(heavy)

    async with opened() as (sup, _):
        heavy = await start(sup)
        await settle()
        gc.collect()
        assert heavy() is None
        assert states(sup) == "child running 1"
