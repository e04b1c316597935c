"""Around the turns: the start, the stop, and the lifespan of a run."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager, suppress
from functools import partial
from types import TracebackType
from typing import Any

import pytest
import trio
from attrs import define, field

import trido
from tests.conformance.kit import at, played, run
from tests.conformance.stage import Log as Events
from tests.conformance.stage import errors_of, leaves
from tests.runtime import desk, slow
from tests.runtime.desk import Boom, Log, boom, do, note, reasons, settle
from tests.runtime.slow import awaits, sleep

Hook = Callable[[str], None]


@define(eq=False)
class Life:
    """A lifespan that tells what becomes of it, and does what it was made to do.

    ``on`` is called at ``"enter"``, ``"entered"``, ``"leave"`` and ``"left"``.
    """

    on: Hook = lambda _: None
    entering: float = 0.0
    leaving: float = 0.0
    swallows: bool = False
    told: list[str] = field(factory=list)
    """``enter``, ``entered``, and then by what it was left."""
    seen: BaseException | None = None
    ref: trido.AgentRef[Any] | None = None

    def of(self, made: trido.Agent[Any]) -> trido.Agent[Any]:
        made.lifespan(self._for)
        return made

    def _for(self, ref: trido.AgentRef[Any]) -> Life:
        self.ref = ref
        return self

    async def __aenter__(self) -> str:
        self._tell("enter")
        await trio.sleep(self.entering)
        self._tell("entered")
        return "resource"

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> bool:
        self.seen = error
        self.told.append("in order" if kind is None else kind.__name__)
        self.on("leave")
        await trio.sleep(self.leaving)
        self._tell("left")
        return self.swallows

    def _tell(self, what: str) -> None:
        self.told.append(what)
        self.on(what)


def failing(at: str, error: BaseException) -> Hook:
    """Raises that at one step of a `Life`."""

    def on(what: str) -> None:
        if what == at:
            raise error

    return on


WHOLE = ["enter", "entered", "in order", "left"]


# Ready ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("is_async", [False, True])
@played
async def test_ready_means_lifespan_entered_then_on_start_committed_in_every_run(
    *, is_async: bool
) -> None:
    story: list[str] = []
    made = Life(story.append, entering=1.0).of(slow.agent())

    def started(turn: trido.Turn) -> Log:
        story.append(turn.why)
        return Log((turn.why,))

    if is_async:

        @made.on_start
        async def start_later(state: Log, turn: trido.Turn) -> Log:
            assert turn.resource == "resource"
            await trio.sleep(1)
            return started(turn)
    else:

        @made.on_start
        def start(state: Log, turn: trido.Turn) -> Log:
            return started(turn)

    def event(event: trido.events.Event) -> None:
        if isinstance(event, trido.events.ChildStarted):
            story.append("ready")

    async with trido.open_supervisor(made.spec(id="a"), observers=[event]) as sup:
        ref = sup["a"].value
        assert story == ["enter", "entered", "start", "ready"]
        assert (trio.current_time(), ref.state().seen) == (1 + is_async, ("start",))
        story.clear()
        await ref.cast(boom())
        await ref.cast(note("queued"))
        await sup["a"].wait_running(after=1)
        await settle()
        assert story == ["leave", "left", "enter", "entered", "restart", "ready"]
        assert ref.state().seen == ("restart", "queued")


async def test_effectful_handlers_are_given_what_the_lifespan_yields() -> None:
    async def look(turn: trido.Turn) -> Any:
        return [trido.Reply(turn.resource)]

    async with trido.open_supervisor(Life().of(slow.agent()).spec(id="a")) as sup:
        assert await sup["a"].value.call(awaits(look)) == "resource"


async def test_a_lifespan_is_given_the_ref_of_its_agent() -> None:
    refs: list[Any] = []
    made = slow.agent()

    @made.lifespan
    async def lifespan(ref: Any) -> AsyncGenerator[None]:
        refs.append(ref)
        assert trido.current_child().id == "a"
        await ref.cast(note("from the lifespan"))
        yield

    async with trido.open_supervisor(made.spec(id="a")) as sup:
        await settle()
        assert refs == [sup["a"].value]
        assert refs[0].state().seen == ("from the lifespan",)


@played
async def test_signals_that_come_before_the_agent_is_ready_wait() -> None:
    made = Life(entering=2.0).of(slow.agent())

    @made.on_start
    def start(state: Log) -> Log:
        return Log(("start",))

    async with trido.open_runtime() as rt, trio.open_nursery() as nursery:
        nursery.start_soon(lambda: rt.start_agent(made, id="a"))
        await trio.sleep(1)
        assert await rt.agent("a").call(note("early")) == Log(("start", "early"))
        assert trio.current_time() == 2


async def test_the_directives_of_a_start_are_carried_out() -> None:
    made = desk.agent()

    @made.on_start
    def start(state: Log, turn: trido.Turn) -> trido.Decision[Log]:
        to_self = trido.Emit(note("emitted"), to=turn.agent_id)
        return state, [to_self, trido.Schedule(1, note("due"))]

    async with trido.open_runtime() as rt:
        ref = await rt.start_agent(made, id="a")
        await trio.sleep(2)
        assert ref.state().seen == ("emitted", "due")


@pytest.mark.parametrize("has_lifespan", [False, True])
@played
async def test_a_start_that_decides_to_stop_is_ready_and_then_stops(*, has_lifespan: bool) -> None:
    made = desk.agent()
    events = Events()
    life = Life(leaving=1.0)
    if has_lifespan:
        life.of(made)

    @made.on_start
    def start(state: Log, turn: trido.Turn) -> trido.Decision[Log]:
        return Log(("started",)), [trido.Stop()]

    async with trido.open_supervisor(made.spec(id="a"), observers=[events]) as sup:
        await sup["a"].wait_ended()
        await settle()
        assert events.lines == ["S a", "E a normal"]
        assert sup["a"].value.status().revision == 1
    assert life.told == (WHOLE if has_lifespan else [])


@pytest.mark.parametrize("has_lifespan", [False, True])
@played
async def test_a_start_that_says_ignore_leaves_the_place_without_a_run(
    *, has_lifespan: bool
) -> None:
    made = desk.agent()
    life = Life()
    if has_lifespan:
        life.of(made)

    @made.on_start
    def start(state: Log) -> Log:
        raise trido.Ignore

    events = Events()
    async with trido.open_supervisor(made.spec(id="a"), observers=[events]) as sup:
        assert (sup["a"].state, events.lines) == ("stopped", ["E a ignored"])
    assert life.told == (["enter", "entered", "Ignore", "left"] if has_lifespan else [])


# Starts that fail -----------------------------------------------------------------------------


@pytest.mark.parametrize("step", ["enter", "entered", "on_start", "async on_start"])
@pytest.mark.parametrize("kind", [Boom, trido.Shutdown, trido.Escalate, trido.Reject])
@played
async def test_a_failure_at_any_step_is_a_start_failure(step: str, kind: Any) -> None:
    """And what was entered is left, with the failure in sight."""
    error = kind("x")
    life = Life(failing(step, error))
    made = life.of(desk.agent())
    if step == "on_start":

        @made.on_start
        def start(state: Log) -> Log:
            raise error

    if step == "async on_start":

        @made.on_start
        async def start_later(state: Log) -> Log:
            await trio.sleep(1)
            raise error

    told = ["enter", "entered"][: 1 + (step != "enter")]
    if "on_start" in step:
        told += ["in order" if kind is trido.Shutdown else kind.__name__, "left"]
    with pytest.raises(trido.StartFailed) as failed:
        async with trido.open_supervisor(made.spec(id="a")):
            raise AssertionError
    if kind is not trido.Shutdown:
        assert failed.value.__cause__ is error
    assert life.told == told


@played
async def test_a_lifespan_that_yields_nothing_is_a_start_failure() -> None:
    made = desk.agent()

    @made.lifespan
    async def lifespan(ref: Any) -> AsyncGenerator[None]:
        if made is None:
            yield

    with pytest.raises(trido.StartFailed) as failed:
        async with trido.open_supervisor(made.spec(id="a")):
            raise AssertionError
    assert "didn't yield" in str(failed.value.__cause__)


async def test_what_is_no_context_manager_is_a_start_failure() -> None:
    made = desk.agent()
    lifespan: Any = lambda ref: None  # noqa: E731
    made.lifespan(lifespan)
    with pytest.raises(trido.StartFailed) as failed:
        async with trido.open_supervisor(made.spec(id="a")):
            raise AssertionError
    assert isinstance(failed.value.__cause__, trido.SpecError)


@pytest.mark.parametrize("leaks", [False, True])
async def test_a_lifespan_that_cannot_even_be_made_is_a_start_failure(*, leaks: bool) -> None:
    error: BaseException = await slow.a_cancelled() if leaks else Boom()

    def lifespan(ref: Any) -> Any:
        raise error

    made = desk.agent()
    made.lifespan(lifespan)
    with trio.fail_after(1), pytest.raises(trido.StartFailed) as failed:
        async with trido.open_supervisor(made.spec(id="a")):
            raise AssertionError
    assert isinstance(failed.value.__cause__, trido.LeakedCancelled if leaks else Boom)


@pytest.mark.parametrize("step", ["lifespan", "on_start"])
@played
async def test_a_cancelled_that_leaks_from_a_start_is_a_start_failure(step: str) -> None:
    leaked = await slow.a_cancelled()
    made = Life(failing("entered" if step == "lifespan" else "", leaked)).of(desk.agent())

    @made.on_start
    def start(state: Log) -> Log:
        raise leaked

    with trio.fail_after(1), pytest.raises(trido.StartFailed) as failed:
        async with trido.open_supervisor(made.spec(id="a")):
            raise AssertionError
    assert isinstance(failed.value.__cause__, trido.LeakedCancelled)


async def test_a_start_whose_directives_nobody_can_carry_out_is_a_start_failure() -> None:
    made = desk.agent()

    @made.on_start
    def start(state: Log) -> trido.Decision[Log]:
        return state, [trido.Emit(note("x"), to=trido.Via("nobody"))]

    with pytest.raises(trido.StartFailed) as failed:
        async with trido.open_supervisor(made.spec(id="a")):
            raise AssertionError
    assert isinstance(failed.value.__cause__, trido.InvalidDecision)


@played
async def test_a_start_that_takes_longer_than_its_turn_limit_is_a_start_failure() -> None:
    made = desk.agent(turn_limit=2)

    @made.on_start
    async def start(state: Log) -> Log:
        with suppress(trio.Cancelled):
            await trio.sleep_forever()
        return Log(("too late",))

    with pytest.raises(trido.StartFailed) as failed:
        async with trido.open_supervisor(made.spec(id="a")):
            raise AssertionError
    assert isinstance(failed.value.__cause__, trido.TurnExpired)
    assert trio.current_time() == 2


@pytest.mark.parametrize("step", ["lifespan", "on_start"])
@played
async def test_a_start_that_takes_longer_than_start_timeout_is_a_start_failure(step: str) -> None:
    life = Life(entering=9.0 if step == "lifespan" else 0.0)
    made = life.of(desk.agent())

    @made.on_start
    async def start(state: Log) -> Log:
        await trio.sleep(9)
        return state

    with pytest.raises(trido.StartFailed) as failed:
        async with trido.open_supervisor(made.spec(id="a", start_timeout=2.0)):
            raise AssertionError
    assert isinstance(failed.value.__cause__, trido.StartTimeout)
    assert trio.current_time() == 2
    assert life.told == (["enter"] if step == "lifespan" else WHOLE)


@played
async def test_a_failed_restart_counts_and_is_tried_again_with_a_lifespan_of_its_own() -> None:
    lives: list[Life] = []
    made = desk.agent()

    def lifespan(ref: Any) -> Life:
        life = Life(failing("entered", Boom())) if len(lives) == 1 else Life()
        lives.append(life)
        return life

    made.lifespan(lifespan)
    async with trido.open_supervisor(made.spec(id="a")) as sup:
        ref = sup["a"].value
        ref.cast_nowait(boom())
        assert await ref.call(note("queued")) == Log(("queued",))
        assert ref.incarnation == 3
        left = ["enter", "entered", "Boom", "left"]
        assert [life.told for life in lives] == [left, left[:2], left[:2]]


# Stops while starting -------------------------------------------------------------------------


@pytest.mark.parametrize("moment", [0.5, 1.5])
@played
async def test_a_stop_while_starting_commits_nothing_and_leaves_what_was_entered(
    moment: float,
) -> None:
    life = Life(entering=1.0, leaving=1.0)
    made = life.of(desk.agent())

    @made.on_start
    async def start(state: Log) -> Log:
        with suppress(trio.Cancelled):
            await trio.sleep(1)
        return Log(("started",))

    spec = made.spec(id="a")
    async with trido.open_supervisor() as sup, trio.open_nursery() as nursery:
        nursery.start_soon(at, moment, sup.stop)
        with pytest.raises(trido.SupervisorStopped):
            await sup.start_child(spec)
    assert trio.current_time() == (moment if moment < 1 else moment + 1)
    assert life.ref is not None
    assert life.ref.status().revision == 0
    assert life.told == (["enter"] if moment < 1 else WHOLE)


@pytest.mark.parametrize("step", ["lifespan", "on_start"])
@played
async def test_a_kill_while_starting_ends_it_at_once(step: str) -> None:
    life = Life(entering=5.0 if step == "lifespan" else 0.0, leaving=5.0)
    made = life.of(desk.agent())

    @made.on_start
    async def start(state: Log) -> Log:
        await trio.sleep(5)
        return state

    async with trido.open_supervisor() as sup, trio.open_nursery() as nursery:
        nursery.start_soon(at, 1, sup.stop)
        with pytest.raises(trido.SupervisorStopped):
            await sup.start_child(made.spec(id="a", shutdown=trido.BRUTAL_KILL))
    assert trio.current_time() == 1
    assert life.told == (["enter"] if step == "lifespan" else [*WHOLE[:2], "Cancelled"])


def test_a_stop_as_a_lifespan_is_entered_decides_nothing_any_more() -> None:
    """Whichever comes first: what was entered is left, and nothing is decided after the stop."""
    came = set[str]()

    async def scenario(ticks: int) -> None:
        life = Life(entering=1.0)
        made = life.of(desk.agent())

        @made.on_start
        def start(state: Log) -> Log:
            assert not stopped
            return Log(("started",))

        async def stop() -> None:
            await trio.sleep(1)
            for _ in range(ticks):
                await trio.lowlevel.checkpoint()
            sup.stop()
            await trio.lowlevel.checkpoint()
            await trio.lowlevel.checkpoint()
            stopped.append(True)

        stopped: list[bool] = []
        async with trido.open_supervisor() as sup, trio.open_nursery() as nursery:
            nursery.start_soon(stop)
            with suppress(trido.SupervisorStopped):
                await sup.start_child(made.spec(id="a"))
        assert life.ref is not None
        came.add(f"{life.told[-1]} {life.ref.status().revision}")

    for ticks in range(6):
        run(partial(scenario, ticks))
    assert came == {"left 0", "left 1"}


# Crashes --------------------------------------------------------------------------------------


@pytest.mark.parametrize("swallows", [False, True])
@played
async def test_a_lifespan_sees_the_crash_and_cannot_swallow_it(*, swallows: bool) -> None:
    life = Life(swallows=swallows)
    events = Events()
    crash = Boom()
    spec = life.of(desk.agent()).spec(id="a", restart="temporary")
    async with trido.open_supervisor(spec, observers=[events]) as sup:
        await sup["a"].value.cast(boom(crash))
        await settle()
        assert life.seen is crash
        assert events.lines == ["S a", "E a Boom", "R child_terminated(a, Boom)"]


@played
async def test_a_lifespan_with_a_nursery_sees_the_crash_and_is_not_blamed_for_it() -> None:
    made = desk.agent()
    seen: list[BaseException] = []

    @made.lifespan
    @asynccontextmanager
    async def lifespan(ref: Any) -> AsyncGenerator[None]:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(trio.sleep_forever)
            try:
                yield
            except BaseException as error:
                seen.append(error)
                raise

    crash = Boom()
    async with trido.open_supervisor(made.spec(id="a")) as sup:
        await sup["a"].value.cast(boom(crash))
        await sup["a"].wait_running(after=1)
        assert seen == [crash]
        assert sup["a"].last_crash is crash


@pytest.mark.parametrize("both", [False, True])
async def test_an_error_of_the_lifespan_is_reported_beside_the_crash(*, both: bool) -> None:
    made = desk.agent()
    crash, other = Boom("crash"), Boom("other")

    @made.lifespan
    async def lifespan(ref: Any) -> AsyncGenerator[None]:
        try:
            yield
        except Boom as error:
            if both:
                raise ExceptionGroup("", [error, other]) from None
            raise other from None

    async with trido.open_supervisor(made.spec(id="a")) as sup:
        await sup["a"].value.cast(boom(crash))
        await sup["a"].wait_running(after=1)
        last = sup["a"].last_crash
        assert last is not None
        assert leaves(last) == ([crash, crash, other] if both else [crash, other])


@played
async def test_a_lifespan_whose_task_fails_is_a_crash_and_said_once() -> None:
    made = desk.agent()
    crash = Boom()

    @made.lifespan
    @asynccontextmanager
    async def lifespan(ref: Any) -> AsyncGenerator[None]:
        async with trio.open_nursery() as nursery:
            if ref.incarnation == 1:
                nursery.start_soon(_fail_at, 1, crash)
            yield

    async with trido.open_supervisor(made.spec(id="a")) as sup:
        await sup["a"].wait_running(after=1)
        assert trio.current_time() == 1
        last = sup["a"].last_crash
        assert last is not None
        assert leaves(last) == [crash]


@played
async def test_one_error_that_is_met_twice_is_said_once() -> None:
    made = slow.agent()
    crash = Boom()

    @made.lifespan
    @asynccontextmanager
    async def lifespan(ref: Any) -> AsyncGenerator[None]:
        async with trio.open_nursery() as nursery:
            if ref.incarnation == 1:
                nursery.start_soon(_fail_at, 1, crash)
            try:
                yield
            except* Boom:
                raise crash from None

    async def fails_likewise(turn: trido.Turn) -> None:
        try:
            await trio.sleep_forever()
        finally:
            raise crash  # noqa: ASYNC104

    async with trido.open_supervisor(made.spec(id="a")) as sup:
        await sup["a"].value.cast(awaits(fails_likewise))
        await sup["a"].wait_running(after=1)
        last = sup["a"].last_crash
        assert last is not None
        assert set(leaves(last)) == {crash}


async def _fail_at(time: float, error: BaseException) -> None:
    await trio.sleep_until(time)
    raise error


@played
async def test_a_lifespan_that_ends_before_its_run_is_a_crash() -> None:
    """Handlers would go on with a resource that is gone."""
    made = slow.agent()

    @made.lifespan
    @asynccontextmanager
    async def lifespan(ref: Any) -> AsyncGenerator[trio.CancelScope]:
        async with trio.open_nursery() as nursery:
            yield nursery.cancel_scope

    async def close(turn: trido.Turn) -> None:
        turn.resource.cancel()

    async with trido.open_supervisor(made.spec(id="a")) as sup:
        await sup["a"].value.call(awaits(close))
        await sup["a"].wait_running(after=1)
        assert "the lifespan ended while its agent still ran" in str(sup["a"].last_crash)


@played
async def test_a_cancelled_that_leaks_from_a_lifespan_is_a_crash() -> None:
    made = desk.agent()

    @made.lifespan
    async def lifespan(ref: Any) -> AsyncGenerator[None]:
        leaked = await slow.a_cancelled()
        try:
            yield
        finally:
            raise leaked

    async with trido.open_supervisor(made.spec(id="a")) as sup:
        await sup["a"].value.cast(boom())
        await sup["a"].wait_running(after=1)
        last = sup["a"].last_crash
        assert isinstance(last, trido.LeakedCancelled)


@played
async def test_a_lifespan_that_hangs_on_a_crash_is_bounded_by_the_grace() -> None:
    life = Life(leaving=99.0)
    spec = life.of(desk.agent()).spec(id="a", shutdown=3.0)
    async with trido.open_supervisor(spec) as sup:
        await sup["a"].value.cast(boom())
        await sup["a"].wait_running(after=1)
        assert trio.current_time() == 3
        assert isinstance(sup["a"].last_crash, Boom)
        assert life.told[:3] == ["enter", "entered", "Boom"]


@played
async def test_a_lifespan_that_shields_itself_on_a_crash_is_bounded_by_the_grace() -> None:
    made = desk.agent()

    @made.lifespan
    async def lifespan(ref: Any) -> AsyncGenerator[None]:
        try:
            yield
        finally:
            with trio.CancelScope(shield=True):
                await trio.sleep(99)

    async with trido.open_supervisor(made.spec(id="a", shutdown=3.0)) as sup:
        await sup["a"].value.cast(boom())
        await sup["a"].wait_running(after=1)
        assert trio.current_time() == 3


async def test_the_grace_of_a_crash_is_the_supervisor_s_once_it_asks_for_a_stop() -> None:
    life = Life(leaving=99.0)
    spec = life.of(desk.agent()).spec(id="a", shutdown=3.0)
    async with trido.open_supervisor(spec) as sup:
        await sup["a"].value.cast(boom())
        await trio.sleep(1)
        await sup.stop_child("a")
        assert trio.current_time() == 4
        assert isinstance(sup["a"].last_crash, Boom)


@played
async def test_a_crash_interrupts_the_turn_then_leaves_the_lifespan() -> None:
    story: list[str] = []
    life = Life(story.append)
    made = life.of(slow.agent())

    async def cleaning(turn: trido.Turn) -> None:
        try:
            await trio.sleep_forever()
        finally:
            with trido.cleanup():
                await trio.sleep(1)
                story.append("handler done")

    async with trido.open_supervisor(made.spec(id="a"), desk.agent().spec(id="b")) as sup:
        a, b = sup["a"].value, sup["b"].value
        await a.cast(do(trido.Link(b)))
        await a.cast(awaits(cleaning))
        await settle()
        b.cast_nowait(boom())
        await sup["a"].wait_running(after=1)
        assert story[2:5] == ["handler done", "leave", "left"]


@pytest.mark.parametrize("fatal", [KeyboardInterrupt, SystemExit])
@pytest.mark.parametrize(
    "where", ["enter", "leave", "leave after a crash", "on_start", "on_stop", "async", "async stop"]
)
def test_a_fatal_error_around_the_turns_leaves_the_supervisor_as_it_is(
    fatal: type[BaseException], where: str
) -> None:
    async def scenario() -> None:
        life = Life(failing(where.split(maxsplit=1)[0], error))
        made = life.of(desk.agent())

        def fail(state: Log) -> Log:
            raise error

        async def fail_later(state: Log) -> Log:
            await trio.sleep(1)
            raise error

        hooks = {"on_start": fail, "async": fail_later}
        stops = {"on_stop": fail, "async stop": fail_later}
        if where in hooks:
            made.on_start(hooks[where])
        if where in stops:
            made.on_stop(stops[where])
        async with trido.open_supervisor(made.spec(id="a")) as sup:
            if where == "leave after a crash":
                await sup["a"].value.cast(boom())
                await trio.sleep_forever()

    error = fatal()
    expected = [error]
    for left in errors_of(scenario):
        found = leaves(left)
        assert [leaf for leaf in found if not isinstance(leaf, Boom)] == expected


# The stop -------------------------------------------------------------------------------------


@pytest.mark.parametrize("is_async", [False, True])
@pytest.mark.parametrize("how", ["stop_child", "Stop"])
@played
async def test_the_order_of_a_stop(how: str, *, is_async: bool) -> None:
    """The turn is cancelled, on_stop decides, what is committed is done, the lifespan is left."""
    story: list[str] = []
    made = Life(story.append).of(slow.agent())

    async def executor(directive: Any, delivery: Any) -> None:
        await trio.sleep(1)
        story.append(directive.signal.data if hasattr(directive, "signal") else directive.data)

    def decided(turn: trido.Turn) -> trido.Decision[Log]:
        story.append(turn.why)
        return Log((turn.why,)), [trido.Emit(note("outbox"), to=trido.Via("x"))]

    if is_async:

        @made.on_stop
        async def stop_later(state: Log, turn: trido.Turn) -> trido.Decision[Log]:
            assert turn.resource == "resource"
            await trio.sleep(1)
            return decided(turn)
    else:

        @made.on_stop
        def stop(state: Log, turn: trido.Turn) -> trido.Decision[Log]:
            return decided(turn)

    async def handler(turn: trido.Turn) -> None:
        try:
            await trio.sleep_forever()
        finally:
            story.append("turn over")

    async with trido.open_runtime(dispatch={"x": executor}) as rt:
        ref = await rt.start_agent(made, id="a")
        if how == "stop_child":
            await ref.cast(awaits(handler))
            await settle()
            await ref.stop()
        else:
            monitor = rt.monitor(ref)
            await ref.call(do(trido.Stop()))
            await monitor.wait()
        turn_over = ["turn over"] if how == "stop_child" else []
        assert story[2:] == [*turn_over, "stop", "outbox", "leave", "left"]
        assert ref.status().revision == (1 if how == "stop_child" else 2)


@pytest.mark.parametrize("is_async", [False, True])
@pytest.mark.parametrize("redeliver", [0, 3])
@played
async def test_a_stop_that_fails_is_reported_and_the_lifespan_is_left(
    redeliver: int, *, is_async: bool
) -> None:
    life = Life()
    made = life.of(desk.agent(redeliver=redeliver))
    error = Boom()
    if is_async:

        @made.on_stop
        async def stop_later(state: Log) -> Log:
            raise error
    else:

        @made.on_stop
        def stop(state: Log) -> Log:
            raise error

    events = Events()
    async with trido.open_supervisor(made.spec(id="a"), observers=[events]) as sup:
        await sup.stop_child("a")
        assert events.lines == ["S a", "K a Boom", "R shutdown_error(a, Boom)"]
        assert life.seen is error
        # The stop was nobody's signal: it is no dead letter, and not served again.
        assert (reasons(sup["a"].value), sup["a"].value.status().queued) == ([], 0)


@pytest.mark.parametrize("refuses", [False, True])
@played
async def test_a_stop_that_is_too_much_or_says_no_has_failed(*, refuses: bool) -> None:
    made = desk.agent()

    @made.on_stop
    async def stop(state: Log) -> trido.Decision[Log]:
        if refuses:
            raise trido.Reject("no")
        await trio.sleep(2)
        return state

    spec = made.spec(id="a", turn_limit=1.0)
    async with trido.open_supervisor(spec) as sup:
        await sup.stop_child("a")
        kind = trido.Reject if refuses else trido.TurnExpired
        assert isinstance(sup["a"].last_crash, kind)


@played
async def test_a_stop_is_not_asked_after_a_crash() -> None:
    asked: list[str] = []
    made = desk.agent()

    @made.on_stop
    def stop(state: Log) -> Log:
        asked.append("asked")
        return state

    async with trido.open_supervisor(made.spec(id="a", restart="temporary")) as sup:
        await sup["a"].value.cast(boom())
        await settle()
    assert asked == []


@played
async def test_a_stop_that_hangs_is_bounded_by_the_grace_and_commits_nothing() -> None:
    made = desk.agent()

    @made.on_stop
    async def stop(state: Log) -> trido.Decision[Log]:
        with suppress(trio.Cancelled):
            await trio.sleep_forever()
        return Log(("too late",)), [trido.Emit(note("too late"), to="nobody")]

    async with trido.open_supervisor(made.spec(id="a", shutdown=2.0)) as sup:
        ref = sup["a"].value
        await sup.stop_child("a")
        assert (trio.current_time(), ref.status().revision) == (2, 0)
        assert reasons(ref) == []


@played
async def test_an_agent_that_ends_by_itself_has_its_grace_too() -> None:
    life = Life(leaving=99.0)
    events = Events()
    spec = life.of(desk.agent()).spec(id="a", shutdown=3.0)
    async with trido.open_supervisor(spec, observers=[events]) as sup:
        await sup["a"].value.call(do(trido.Stop()))
        await sup["a"].wait_ended()
        await settle()
        assert trio.current_time() == 3
        assert events.lines == ["S a", "E a normal"]


async def test_an_agent_with_a_grace_without_end_is_waited_for() -> None:
    life = Life(leaving=999.0)
    spec = life.of(desk.agent()).spec(id="a", shutdown=float("inf"))
    async with trido.open_supervisor(spec) as sup:
        await sup["a"].value.call(do(trido.Stop()))
        await sup["a"].wait_ended()
        assert trio.current_time() == 999


async def test_a_second_stop_directive_changes_nothing() -> None:
    made = desk.agent()

    @made.on_stop
    def stop(state: Log) -> trido.Decision[Log]:
        return state, [trido.Stop()]

    events = Events()
    async with trido.open_supervisor(made.spec(id="a"), observers=[events]) as sup:
        await sup["a"].value.call(do(trido.Stop(), trido.Stop()))
        await sup["a"].wait_ended()
        await settle()
        assert events.lines == ["S a", "E a normal"]


@played
async def test_a_failure_in_leaving_after_a_kill_is_reported_too() -> None:
    error = Boom()
    life = Life(failing("leave", error))
    spec = life.of(desk.agent()).spec(id="a", shutdown=trido.BRUTAL_KILL)
    async with trido.open_supervisor(spec) as sup:
        await sup.stop_child("a")
        assert sup["a"].last_crash is error


@played
async def test_a_kill_while_it_stops_by_itself_ends_it_at_once() -> None:
    life = Life(leaving=99.0)
    spec = life.of(desk.agent()).spec(id="a", shutdown=5.0)
    async with trido.open_supervisor(spec) as sup:
        await sup["a"].value.call(do(trido.Stop()))
        await trio.sleep(1)
        run = sup["a"].run
        assert run is not None
        run.kill()
        run.kill()
        await sup["a"].wait_ended()
        assert trio.current_time() == 1


# Hooks, nurseries -----------------------------------------------------------------------------


@pytest.mark.parametrize("hook", ["on_start", "on_stop"])
@played
async def test_a_hook_that_leaves_a_nursery_open_harms_nobody_else(hook: str) -> None:
    life = Life(leaving=1.0)
    made = life.of(desk.agent())

    async def mistake(state: Log) -> Log:
        nursery = await trio.open_nursery().__aenter__()
        nursery.start_soon(trio.sleep_forever)
        return state

    async with trido.open_supervisor(slow.agent().spec(id="b")) as sup:
        getattr(made, hook)(mistake)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(sup["b"].value.call, sleep(5))
            if hook == "on_start":
                with pytest.raises(trido.StartFailed, match="stack corrupted"):
                    await sup.start_child(made.spec(id="a"))
            else:
                await sup.start_child(made.spec(id="a"))
                await sup.stop_child("a")
                assert "stack corrupted" in str(sup["a"].last_crash)
        assert life.told == ["enter", "entered", "RuntimeError", "left"]
        assert sup["b"].incarnation == 1


@asynccontextmanager
async def _leaves_a_nursery_open() -> AsyncGenerator[None]:
    nursery = await trio.open_nursery().__aenter__()
    nursery.start_soon(trio.sleep_forever)
    yield


@played
async def test_a_lifespan_that_leaves_a_nursery_open_harms_nobody_else() -> None:
    made = desk.agent()
    made.lifespan(lambda ref: _leaves_a_nursery_open())
    async with trido.open_supervisor(made.spec(id="a"), slow.agent().spec(id="b")) as sup:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(sup["b"].value.call, sleep(5))
            await sup.stop_child("a")
            last = sup["a"].last_crash
            assert last is not None
            assert "stack corrupted" in str(leaves(last)[0])
        assert sup["b"].incarnation == 1
