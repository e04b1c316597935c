"""What a spec that cannot be is told, word for word; and what the widest are that can be."""

from __future__ import annotations

import functools
import math
from collections.abc import Awaitable, Callable
from typing import Any

import attrs
import pytest
import trio

import trido
from trido.supervision.functions import function_id, is_async, unwrapped
from trido.supervision.place import as_place, place_of
from trido.supervision.policy import ChildPolicy

INF = math.inf


async def work(*args: object) -> None: ...


async def feed(region: str, speed: int = 1) -> None: ...


async def serve(port: int, *, task_status: trio.TaskStatus[int]) -> None: ...


async def takes_all(*args: object, **options: object) -> None: ...


async def first_of_all(task_status: object, name: str = "") -> None: ...


async def only_by_place(task_status: object, /) -> None: ...


def plain() -> None: ...


def takes_one(number: int) -> None: ...


class Job:
    """Runs when it is called."""

    async def __call__(self, number: int) -> None: ...

    def __repr__(self) -> str:
        return "Job()"


class Named:
    """Has a name that is none."""

    __name__ = 5

    async def __call__(self) -> None: ...

    def __repr__(self) -> str:
        return "Named()"


class Unsaid:
    """Says nothing of what it takes."""

    __signature__ = "none"

    async def __call__(self, *args: object) -> None: ...

    def __repr__(self) -> str:
        return "Unsaid()"


class Row(list[int]):
    """Has no hash."""

    async def __call__(self, number: int) -> None: ...


class Bound(functools.partial[Any]):
    """Is kept as it is by another partial around it, as it has more to say."""

    def __init__(self, *_: object, **__: object) -> None:
        self.more = "to say"


def child(*args: Any, **options: Any) -> object:
    given: Any = {"id": "a", **options}
    return trido.ChildSpec(*args, **given)


def tree(*children: Any, **options: Any) -> object:
    return trido.SupervisorSpec(*children, **options)


def crew(*args: Any, **options: Any) -> object:
    given: Any = {"id": "crew", **options}
    return trido.DynamicSupervisorSpec(*args, **given)


A = trido.ChildSpec(work, id="a")
PICKY: Any = {"restart": "transient", "significant": True}
SECONDS = "a number of seconds >= 0"
EXCEPTIONS = "an Exception class or a tuple of Exception classes"
COUNT = "an int >= 0"

OF_A_CHILD: list[tuple[dict[str, Any], str]] = [
    ({"restart": "never"}, "one of 'permanent', 'transient', 'temporary'"),
    ({"shutdown": -1}, "a number of seconds >= 0, math.inf or trido.BRUTAL_KILL"),
    ({"start_timeout": -1}, SECONDS),
    ({"kill_timeout": -1}, SECONDS),
    ({"kill_timeout": math.nan}, SECONDS),
    ({"heartbeat": -1}, "a finite number of seconds >= 0"),
    ({"heartbeat": INF}, "a finite number of seconds >= 0"),
    ({"heartbeat": 0}, "a number of seconds > 0"),
    ({"ready": "soon"}, "one of 'started', 'scheduled'"),
    ({"backoff": 1.0}, "a trido.Backoff or None"),
    ({"on_limit": "stop"}, "one of 'escalate', 'park'"),
    ({"restart_on": 3}, EXCEPTIONS),
    ({"escalate_on": "OSError"}, EXCEPTIONS),
]
OF_A_LIMIT: list[tuple[dict[str, Any], str]] = [
    ({"max_restarts": -1}, f"{COUNT} or math.inf"),
    ({"max_restarts": 1.5}, f"{COUNT} or math.inf"),
    ({"max_seconds": 0}, "a finite number > 0"),
    ({"max_seconds": INF}, "a finite number > 0"),
    ({"max_seconds": "5"}, "a finite number > 0"),
    ({"max_consecutive": -1}, COUNT),
    ({"max_consecutive": INF}, COUNT),
    ({"shutdown_timeout": -1}, SECONDS),
]
OF_A_SUPERVISOR: list[tuple[dict[str, Any], str]] = [
    *OF_A_LIMIT,
    ({"strategy": "all"}, "one of 'one_for_one', 'one_for_all', 'rest_for_one'"),
    ({"auto_shutdown": "always"}, "one of 'never', 'any_significant', 'all_significant'"),
    ({"restart": "never"}, "one of 'permanent', 'transient', 'temporary'"),
    ({"shutdown": -1}, "a number of seconds >= 0, math.inf or trido.BRUTAL_KILL"),
    ({"start_timeout": -1}, SECONDS),
    ({"significant": 1}, "True or False"),
    ({"significant": True}, "False for a permanent child, which never ends for good"),
    ({"backoff": 1.0}, "a trido.Backoff or None"),
]
OF_A_CREW: list[tuple[dict[str, Any], str]] = [
    *OF_A_CHILD,
    *OF_A_LIMIT,
    ({"strategy": "one_for_all"}, "one of 'one_for_one'"),
    ({"auto_shutdown": "any_significant"}, "one of 'never'"),
    ({"significant": True}, "one of False"),
    ({"max_children": -1}, f"{COUNT} or math.inf"),
    ({"max_children": 1.5}, f"{COUNT} or math.inf"),
]


def refusal(make: Callable[..., object], *args: object, **options: object) -> str:
    with pytest.raises(trido.SpecError) as caught:
        make(*args, **options)
    return str(caught.value)


def no(of: str, field: str, value: object, allowed: str) -> str:
    return f"{of}: {field}={value!r} is not allowed; it must be {allowed}"


@pytest.mark.parametrize(("options", "allowed"), OF_A_CHILD)
def test_what_a_child_cannot_be(options: dict[str, Any], allowed: str) -> None:
    [(field, value)] = options.items()
    assert refusal(child, work, **options) == no("ChildSpec 'a'", field, value, allowed)


@pytest.mark.parametrize(("options", "allowed"), OF_A_SUPERVISOR)
def test_what_a_supervisor_cannot_be(options: dict[str, Any], allowed: str) -> None:
    [(field, value)] = options.items()
    assert refusal(tree, **options) == no("SupervisorSpec 'root'", field, value, allowed)
    said = refusal(tree, **options, id="shop")
    assert said == no("SupervisorSpec 'shop'", field, value, allowed)


@pytest.mark.parametrize(("options", "allowed"), OF_A_CREW)
def test_what_a_dynamic_supervisor_cannot_be(options: dict[str, Any], allowed: str) -> None:
    [(field, value)] = options.items()
    said = refusal(crew, work, **options)
    assert said == no("DynamicSupervisorSpec 'crew'", field, value, allowed)


@pytest.mark.parametrize("id", ["", 5])
def test_an_id_that_is_no_name(id: object) -> None:
    for make, of in (
        (functools.partial(trido.ChildSpec, work), "ChildSpec"),
        (trido.SupervisorSpec, "SupervisorSpec"),
        (functools.partial(trido.DynamicSupervisorSpec, work), "DynamicSupervisorSpec"),
    ):
        assert refusal(make, id=id) == no(of, "id", id, "a non-empty string")


OF_ANOTHER: list[tuple[Callable[[], object], str]] = [
    (lambda: tree(work), f"children={work!r} is not allowed; it must be a spec, such as a "),
    (lambda: tree(A, A), "id='a' is not allowed; it must be different from the id of every other"),
    (
        lambda: tree(child(work, **PICKY)),
        "significant=True is not allowed; it must be False under a supervisor with auto_shutdown=",
    ),
    (
        lambda: tree(child(work, on_limit="park"), strategy="rest_for_one"),
        "on_limit='park' is not allowed; it must be 'escalate' under a rest_for_one supervisor",
    ),
]


@pytest.mark.parametrize(("make", "said"), OF_ANOTHER)
def test_what_cannot_be_in_a_supervisor(make: Callable[[], object], said: str) -> None:
    whose = "child 'a' of " if "under" in said else ""
    assert refusal(make).startswith(f"{whose}SupervisorSpec 'root': {said}")


def test_a_supervisor_in_another_has_an_id() -> None:
    for inner, of in (
        (trido.SupervisorSpec(), "SupervisorSpec"),
        (trido.DynamicSupervisorSpec(work), "DynamicSupervisorSpec"),
    ):
        assert refusal(tree, inner) == no(of, "id", None, "given for a supervisor in another")


def test_what_is_to_be_a_supervisor_and_is_none() -> None:
    wanted = "a trido.SupervisorSpec or a trido.DynamicSupervisorSpec"
    said = refusal(trido.explain, A, crash="a")
    assert said == f"spec={A!r} is not allowed; it must be {wanted}"


def test_nothing_else_is_a_child() -> None:
    wanted = "a spec, such as a trido.ChildSpec"
    assert refusal(as_place, 5) == f"children=5 is not allowed; it must be {wanted}"
    assert refusal(place_of, 5) == f"children=5 is not allowed; it must be {wanted}"
    with pytest.raises(trido.SpecError) as caught:
        tree(5)
    assert (caught.value.field, caught.value.value, caught.value.allowed) == ("children", 5, wanted)


def test_the_widest_that_can_be() -> None:
    assert trido.ChildSpec(work, kill_timeout=0, heartbeat=0.001).heartbeat == 0.001
    assert trido.ChildSpec(work, kill_timeout=INF, start_timeout=0).kill_timeout == INF
    limits: list[Any] = [
        {"max_restarts": 0, "max_seconds": 0.001, "max_consecutive": 0, "shutdown_timeout": 0},
        {"max_restarts": INF, "max_seconds": 1e9, "max_consecutive": 9, "shutdown_timeout": INF},
        {"max_seconds": 1},
    ]
    for limit in limits:
        assert trido.SupervisorSpec(**limit).max_seconds == limit["max_seconds"]
        assert trido.DynamicSupervisorSpec(work, **limit).max_seconds == limit["max_seconds"]
    assert trido.DynamicSupervisorSpec(work, max_children=0).max_children == 0
    modes: tuple[Any, ...] = ("any_significant", "all_significant")
    for mode in modes:
        spec = trido.SupervisorSpec(trido.ChildSpec(work, **PICKY), auto_shutdown=mode)
        assert spec.children[0].policy.significant
    parked = trido.ChildSpec(work, on_limit="park")
    assert trido.SupervisorSpec(parked).children == (parked,)


def test_an_unknown_word_is_refused_in_the_name_of_the_spec() -> None:
    said = "got an unexpected keyword argument 'restrat'"
    makes: list[tuple[Any, str]] = [
        (functools.partial(trido.ChildSpec, work), "ChildSpec"),
        (trido.SupervisorSpec, "SupervisorSpec"),
        (functools.partial(trido.DynamicSupervisorSpec, work), "DynamicSupervisorSpec"),
    ]
    for make, name in makes:
        with pytest.raises(TypeError) as caught:
            make(restrat="permanent")
        assert str(caught.value) == f"{name}() {said}"
        assert caught.value.__suppress_context__


def test_what_a_spec_is_of_another() -> None:
    backoff = trido.Backoff(min=1.0)
    inner = trido.SupervisorSpec(
        id="inner",
        restart="transient",
        shutdown=7.0,
        significant=True,
        start_timeout=9.0,
        backoff=backoff,
    )
    assert inner.policy == ChildPolicy(
        kind="supervisor",
        restart="transient",
        shutdown=7.0,
        significant=True,
        start_timeout=9.0,
        backoff=backoff,
    )
    assert trido.DynamicSupervisorSpec(work, id="crew").policy.kind == "supervisor"


def test_a_copy_with_a_change_keeps_the_rest() -> None:
    spec: Any = trido.ChildSpec(feed, "eu", restart="temporary")
    changed = attrs.evolve(spec, shutdown=1.0)
    assert (changed.id, changed.args, changed.restart) == ("feed", ("eu",), "temporary")
    assert attrs.evolve(spec, args=("us",)).args == ("us",)
    pool: Any = trido.DynamicSupervisorSpec(feed, "eu")
    pool = attrs.evolve(pool, id="pool")
    assert (pool.args, pool.id) == (("eu",), "pool")


def test_a_spec_without_its_arguments_is_otherwise_the_same() -> None:
    spec = trido.ChildSpec(feed, "eu", 2, id="feeds", restart="temporary")
    bare = spec.without_args()
    assert (bare.args, bare.id, bare.policy) == ((), "feeds", spec.policy)
    assert spec.args == ("eu", 2)
    assert bare.without_args() is bare


def test_a_child_of_a_template_has_all_that_the_template_says() -> None:
    said: Any = {
        "restart": "transient",
        "shutdown": 1.5,
        "ready": "scheduled",
        "start_timeout": 2.5,
        "kill_timeout": 3.5,
        "backoff": trido.Backoff(),
        "on_limit": "park",
        "restart_on": OSError,
        "escalate_on": (ValueError,),
        "heartbeat": 4.5,
    }
    template = trido.DynamicSupervisorSpec(feed, "eu", id="crew", **said)
    made = template.child("feed-1", (2,))
    assert made == trido.ChildSpec(feed, "eu", 2, id="feed-1", **said)
    assert made.policy == template.template


@pytest.mark.parametrize(
    ("fn", "name"),
    [
        (feed, "feed"),
        (functools.partial(functools.partial(feed, "eu"), 2), "feed"),
        (lambda: work(), "child"),  # noqa: PLW0108  # is what this is about
        (Job(), "child"),
    ],
)
def test_what_generated_ids_begin_with(fn: Callable[..., Awaitable[object]], name: str) -> None:
    assert trido.DynamicSupervisorSpec(fn).child_name == name


# Functions ----------------------------------------------------------------------------------


def test_a_function_that_has_no_name_needs_an_id() -> None:
    nameless: list[Any] = [lambda: work(), Job(), Named()]  # noqa: PLW0108  # is what this is about
    for fn in nameless:
        allowed = f"given: {fn!r} has no name to take it from"
        assert refusal(function_id, fn) == no("ChildSpec", "id", None, allowed)
    assert unwrapped(functools.partial(functools.partial(feed, "eu"))) is feed


def test_what_looks_as_if_it_could_be_awaited() -> None:
    @functools.wraps(work)
    def wraps_work() -> Awaitable[None]:
        return work()

    ones: list[Any] = [work, functools.partial(feed, "eu"), Job(), wraps_work, lambda: 5]
    assert all(is_async(one) for one in ones)
    others: list[Any] = [plain, functools.partial(plain), 5, None, print]
    assert not any(is_async(other) for other in others)


@pytest.mark.parametrize("fn", [plain, 5])
def test_what_is_run_is_an_async_function(fn: Any) -> None:
    wanted = "an async function"
    assert refusal(child, fn) == no("ChildSpec 'a'", "fn", fn, wanted)
    assert refusal(crew, fn) == no("DynamicSupervisorSpec 'crew'", "fn", fn, wanted)


MISFITS: list[tuple[Any, tuple[object, ...], str]] = [
    (feed, (), "what feed(region: 'str', speed: 'int' = 1) -> 'None' takes (missing a required"),
    (feed, ("eu", 1, 2), "what feed(region: 'str', speed: 'int' = 1) -> 'None' takes (too many"),
    (serve, (), "what serve(port: 'int') -> 'None' takes (missing a required argument: 'port')"),
    (serve, (1, 2), "what serve(port: 'int') -> 'None' takes (too many positional arguments)"),
    (Job(), (), "what Job()(number: 'int') -> 'None' takes (missing a required argument: 'n"),
    (
        functools.partial(feed, "eu"),
        (1, 2),
        "what feed(speed: 'int' = 1) -> 'None' takes (too many positional arguments)",
    ),
]


@pytest.mark.parametrize(("fn", "args", "allowed"), MISFITS)
def test_arguments_that_a_function_does_not_take(
    fn: Any, args: tuple[object, ...], allowed: str
) -> None:
    said = refusal(child, fn, *args)
    assert said.startswith(no("ChildSpec 'a'", "args", args, allowed))
    with pytest.raises(trido.SpecError) as caught:
        child(fn, *args)
    assert caught.value.__suppress_context__


def test_arguments_that_a_template_cannot_take_whatever_comes_later() -> None:
    takes = "what feed(region: 'str', speed: 'int' = 1) -> 'None' takes"
    wanted = f"{takes} (too many positional arguments)"
    of = "DynamicSupervisorSpec 'crew'"
    assert refusal(crew, feed, "eu", 1, 2) == no(of, "args", ("eu", 1, 2), wanted)
    with pytest.raises(trido.SpecError) as caught:
        crew(feed, "eu", 1, 2)
    assert caught.value.__suppress_context__
    wanted = "what serve(port: 'int') -> 'None' takes (too many positional arguments)"
    assert refusal(crew, serve, 1, 2, ready="started") == no(of, "args", (1, 2), wanted)
    assert crew(feed)
    assert crew(serve, ready="started")
    assert crew(Unsaid(), 1, 2, 3)
    assert crew(first_of_all, ready="scheduled")


def test_a_function_that_cannot_say_when_it_is_ready() -> None:
    allowed = (
        "'scheduled' or None for a function without a task_status: "
        "(region: 'str', speed: 'int' = 1) -> 'None'"
    )
    said = refusal(child, feed, "eu", ready="started")
    assert said == no("ChildSpec 'a'", "ready", "started", allowed)
    said = refusal(crew, feed, ready="started")
    assert said == no("DynamicSupervisorSpec 'crew'", "ready", "started", allowed)


@pytest.mark.parametrize(
    ("fn", "args", "ready", "signals"),
    [
        (feed, ("eu",), None, False),
        (serve, (1,), None, True),
        (serve, (1,), "started", True),
        (first_of_all, (), None, True),
        (first_of_all, (1,), None, False),
        (first_of_all, (1,), "scheduled", False),
        (only_by_place, (1,), None, False),
        (functools.partial(serve, task_status=trio.TASK_STATUS_IGNORED), (1,), None, False),
        (functools.partial(serve, 1), (), None, True),
        (functools.partial(functools.partial(serve, 1)), (), None, True),
        (functools.partial(Bound(serve, task_status=None), 1), (), None, False),
        (functools.partial(Bound(serve, 1)), (), None, True),
        (Row(), (1,), None, False),
        (takes_all, (1, 2), None, False),
        (takes_all, (1, 2), "started", True),
        (Unsaid(), (1, 2), None, False),
        (Unsaid(), (1, 2), "scheduled", False),
        (Unsaid(), (1, 2), "started", True),
    ],
)
def test_who_says_when_it_is_ready(
    fn: Any, args: tuple[object, ...], ready: Any, *, signals: bool
) -> None:
    assert trido.ChildSpec(fn, *args, id="a", ready=ready).signals_ready is signals
