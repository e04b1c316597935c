"""What to run and how to restart it, as data.

Everything here is checked when it is made: a spec that exists is one that can be started.
"""

from __future__ import annotations

import enum
import functools
import inspect
import math
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable
from typing import (
    TYPE_CHECKING,
    Any,
    Final,
    Generic,
    Literal,
    Protocol,
    TypeAlias,
    TypeVar,
    TypeVarTuple,
    Unpack,
    cast,
    final,
    overload,
)

from attrs import field, frozen

from trido.errors import SpecError
from trido.supervision.errors import DuplicateChild

if TYPE_CHECKING:
    import trio


Restart: TypeAlias = Literal["permanent", "transient", "temporary"]
Strategy: TypeAlias = Literal["one_for_one", "one_for_all", "rest_for_one"]
AutoShutdown: TypeAlias = Literal["never", "any_significant", "all_significant"]
Ready: TypeAlias = Literal["started", "scheduled"]
OnLimit: TypeAlias = Literal["escalate", "park"]
Kind: TypeAlias = Literal["worker", "supervisor"]
Exceptions: TypeAlias = type[Exception] | tuple[type[Exception], ...]


class _BrutalKill(enum.Enum):
    BRUTAL_KILL = "BRUTAL_KILL"

    def __repr__(self) -> str:
        return "trido.BRUTAL_KILL"


BRUTAL_KILL: Final = _BrutalKill.BRUTAL_KILL
"""``shutdown=BRUTAL_KILL``: kill at once when asked to stop, and think nothing of it."""

Grace: TypeAlias = float | Literal[_BrutalKill.BRUTAL_KILL]

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)
T_contra = TypeVar("T_contra", contravariant=True)
Ts = TypeVarTuple("Ts")


class ReadySignalling(Protocol[Unpack[Ts], T_contra]):
    """An async function that says when it is ready, by ``task_status.started(value)``."""

    def __call__(
        self, *args: Unpack[Ts], task_status: trio.TaskStatus[T_contra]
    ) -> Awaitable[object]: ...


# The checks ---------------------------------------------------------------------------------


def _one_of(of: str, name: str, value: object, allowed: tuple[object, ...]) -> None:
    if not any(value is choice or (value == choice and type(value) is str) for choice in allowed):
        raise SpecError(name, value, "one of " + ", ".join(map(repr, allowed)), of=of)


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and value == value


def _seconds(
    of: str, name: str, value: object, *, least: float = 0.0, finite: bool = False
) -> None:
    if _is_number(value):
        number = cast("float", value)
        if number >= least and not (finite and math.isinf(number)):
            return
    allowed = f"a {'finite ' if finite else ''}number of seconds >= {least:g}"
    raise SpecError(name, value, allowed, of=of)


def _flag(of: str, name: str, value: object) -> None:
    if not isinstance(value, bool):
        raise SpecError(name, value, "True or False", of=of)


def _exceptions(of: str, name: str, value: object) -> tuple[type[Exception], ...]:
    types = value if isinstance(value, tuple) else (value,)
    if all(isinstance(one, type) and issubclass(one, Exception) for one in types):
        return cast("tuple[type[Exception], ...]", types)
    raise SpecError(name, value, "an Exception class or a tuple of Exception classes", of=of)


def _name(of: str, value: object) -> str:
    if isinstance(value, str) and value:
        return value
    raise SpecError("id", value, "a non-empty string", of=of)


def _count(of: str, name: str, value: object, *, least: int, infinite: bool) -> None:
    if infinite and value == math.inf:
        return
    if isinstance(value, int) and not isinstance(value, bool) and value >= least:
        return
    allowed = f"an int >= {least}" + (" or math.inf" if infinite else "")
    raise SpecError(name, value, allowed, of=of)


# Backoff and policy -------------------------------------------------------------------------


@frozen(kw_only=True)
class Backoff:
    """How long to wait before the n-th automatic attempt to restart a child.

    The first attempt is made at once; attempt n waits ``min * factor**(n-2)`` seconds, at most
    ``max``, times ``1 + jitter * u`` with u drawn from [0, 1). Only ``reset_after`` seconds of
    uptime make the next attempt a first one again.
    """

    min: float = 0.1
    max: float = 30.0
    factor: float = 2.0
    jitter: float = 0.0
    reset_after: float = 60.0

    def __attrs_post_init__(self) -> None:
        _seconds("Backoff", "min", self.min, finite=True)
        _seconds("Backoff", "max", self.max, least=self.min, finite=True)
        _seconds("Backoff", "reset_after", self.reset_after)
        if not (_is_number(self.factor) and 1 <= self.factor < math.inf):
            raise SpecError("factor", self.factor, "a finite number >= 1", of="Backoff")
        if not (_is_number(self.jitter) and 0 <= self.jitter < math.inf):
            raise SpecError("jitter", self.jitter, "a finite number >= 0", of="Backoff")

    def delay(self, attempt: int, u: float = 0.0) -> float:
        """Seconds to wait before automatic attempt number ``attempt`` (from 1)."""
        if attempt < 2:
            return 0.0
        try:
            base = self.min * self.factor ** (attempt - 2)
        except OverflowError:
            base = self.max
        return min(self.max, base) * (1 + self.jitter * u)


@frozen(kw_only=True)
class ChildPolicy:
    """The part of a child's spec that decides; the decision reads nothing else of it."""

    kind: Kind = "worker"
    restart: Restart = "permanent"
    shutdown: Grace = 5.0
    start_timeout: float = math.inf
    significant: bool = False
    backoff: Backoff | None = None
    on_limit: OnLimit = "escalate"
    restart_on: tuple[type[Exception], ...] = (Exception,)
    escalate_on: tuple[type[Exception], ...] = ()


def _check_policy(of: str, spec: ChildPolicy | ChildSpec[Any] | DynamicSupervisorSpec) -> None:
    _one_of(of, "restart", spec.restart, ("permanent", "transient", "temporary"))
    _check_grace(of, spec.shutdown)
    _seconds(of, "start_timeout", spec.start_timeout)
    _flag(of, "significant", spec.significant)
    if spec.backoff is not None and not isinstance(spec.backoff, Backoff):
        raise SpecError("backoff", spec.backoff, "a trido.Backoff or None", of=of)
    _one_of(of, "on_limit", spec.on_limit, ("escalate", "park"))
    if spec.significant and spec.restart == "permanent":
        allowed = "False for a permanent child, which never ends for good"
        raise SpecError("significant", spec.significant, allowed, of=of)


def _check_grace(of: str, shutdown: object) -> None:
    if shutdown is BRUTAL_KILL or (_is_number(shutdown) and cast("float", shutdown) >= 0):
        return
    allowed = "a number of seconds >= 0, math.inf or trido.BRUTAL_KILL"
    raise SpecError("shutdown", shutdown, allowed, of=of)


def _check_limit(of: str, spec: SupervisorSpec | DynamicSupervisorSpec) -> None:
    _count(of, "max_restarts", spec.max_restarts, least=0, infinite=True)
    if not (_is_number(spec.max_seconds) and 0 < spec.max_seconds < math.inf):
        raise SpecError("max_seconds", spec.max_seconds, "a finite number > 0", of=of)
    if spec.max_consecutive is not None:
        _count(of, "max_consecutive", spec.max_consecutive, least=0, infinite=False)
    _seconds(of, "shutdown_timeout", spec.shutdown_timeout)


# Async functions ----------------------------------------------------------------------------


def _unwrapped(fn: object) -> object:
    while isinstance(fn, functools.partial):
        fn = fn.func
    return fn


def _function_id(fn: object) -> str:
    name = getattr(_unwrapped(fn), "__name__", "")
    if not isinstance(name, str) or name in ("", "<lambda>"):
        raise SpecError("id", None, f"given: {fn!r} has no name to take it from", of="ChildSpec")
    return name


def _is_async(fn: object) -> bool:
    inner = _unwrapped(fn)
    if getattr(inner, "__name__", "") == "<lambda>":
        return True  # a lambda cannot be `async`, and may well return an awaitable
    candidates = (inner, inspect.unwrap(inner) if callable(inner) else inner)
    call = getattr(type(inner), "__call__", None)
    return any(inspect.iscoroutinefunction(one) for one in (*candidates, call))


def _signature(fn: Callable[..., object]) -> inspect.Signature | None:
    try:
        return inspect.signature(fn)
    except (ValueError, TypeError):  # built in, or says nothing of itself
        return None


def _takes_task_status(fn: object, signature: inspect.Signature, args: tuple[object, ...]) -> bool:
    while isinstance(fn, functools.partial):
        if "task_status" in fn.keywords:
            return False
        fn = fn.func
    parameter = signature.parameters.get("task_status")
    if parameter is None or parameter.kind not in (
        inspect.Parameter.POSITIONAL_OR_KEYWORD,
        inspect.Parameter.KEYWORD_ONLY,
    ):
        return False
    try:
        return "task_status" not in signature.bind_partial(*args).arguments
    except TypeError:  # too many arguments: said in words of its own by _fits
        return True


def _fits(of: str, fn: object, signature: inspect.Signature, args: tuple[object, ...]) -> None:
    try:
        signature.bind(*args)
    except TypeError as error:
        name = getattr(_unwrapped(fn), "__name__", repr(fn))
        allowed = f"what {name}{signature} takes ({error})"
        raise SpecError("args", args, allowed, of=of) from None


def _inspect_function(
    of: str, fn: Callable[..., object], args: tuple[object, ...], ready: Ready | None
) -> bool:
    """Check ``fn`` as a child and say whether it announces when it is ready."""
    if not callable(fn) or not _is_async(fn):
        raise SpecError("fn", fn, "an async function", of=of)
    if ready is not None:
        _one_of(of, "ready", ready, ("started", "scheduled"))
    signature = _signature(fn)
    if signature is None:
        return ready == "started"
    signals = ready == "started" or (ready is None and _takes_task_status(fn, signature, args))
    if signals:
        signature = _without_task_status(of, signature)
    _fits(of, fn, signature, args)
    return signals


def _without_task_status(of: str, signature: inspect.Signature) -> inspect.Signature:
    parameters = dict(signature.parameters)
    if parameters.pop("task_status", None) is None and not any(
        one.kind is inspect.Parameter.VAR_KEYWORD for one in parameters.values()
    ):
        allowed = f"'scheduled' or None for a function without a task_status: {signature}"
        raise SpecError("ready", "started", allowed, of=of)
    return signature.replace(parameters=list(parameters.values()))


# Specs --------------------------------------------------------------------------------------


class Spec(ABC, Generic[T_co]):
    """A child-to-be: plain data. ``T_co`` is the type of its `Child.value`.

    Anything `as_place` knows how to run can be one; supervision knows `ChildSpec`,
    `SupervisorSpec` and `DynamicSupervisorSpec`.
    """

    __slots__ = ()

    @property
    @abstractmethod
    def child_id(self) -> str:
        """The id it has in its supervisor."""

    @property
    @abstractmethod
    def policy(self) -> ChildPolicy:
        """When to restart it, and how to stop it."""


@final
@frozen(init=False)
class ChildSpec(Spec[T]):
    """Run ``fn(*args)``, and restart it by these rules.

    Every run gets the same argument objects. It is ready when it calls
    ``task_status.started(value)`` if ``fn`` takes a ``task_status``, else at once; ``ready=``
    says it where looking at the signature cannot tell.

    Raises:
      SpecError: a field is not what it may be, or ``args`` is not what ``fn`` takes.
    """

    fn: Callable[..., Awaitable[object]]
    args: tuple[Any, ...]
    id: str = ""
    restart: Restart = "permanent"
    shutdown: Grace = 5.0
    ready: Ready | None = None
    start_timeout: float = math.inf
    kill_timeout: float = 5.0
    significant: bool = False
    backoff: Backoff | None = None
    on_limit: OnLimit = "escalate"
    restart_on: Exceptions = Exception
    escalate_on: Exceptions = ()
    heartbeat: float | None = None
    signals_ready: bool = field(init=False, eq=False, repr=False)
    """Whether it announces when it is ready."""
    _policy: ChildPolicy = field(init=False, eq=False, repr=False)

    @overload
    def __init__(
        self: ChildSpec[T],
        fn: ReadySignalling[Unpack[Ts], T],
        *args: Unpack[Ts],
        id: str | None = None,
        restart: Restart = "permanent",
        shutdown: Grace = 5.0,
        ready: Ready | None = None,
        start_timeout: float = math.inf,
        kill_timeout: float = 5.0,
        significant: bool = False,
        backoff: Backoff | None = None,
        on_limit: OnLimit = "escalate",
        restart_on: Exceptions = Exception,
        escalate_on: Exceptions = (),
        heartbeat: float | None = None,
    ) -> None: ...

    @overload
    def __init__(
        self: ChildSpec[None],
        fn: Callable[[Unpack[Ts]], Awaitable[object]],
        *args: Unpack[Ts],
        id: str | None = None,
        restart: Restart = "permanent",
        shutdown: Grace = 5.0,
        ready: Ready | None = None,
        start_timeout: float = math.inf,
        kill_timeout: float = 5.0,
        significant: bool = False,
        backoff: Backoff | None = None,
        on_limit: OnLimit = "escalate",
        restart_on: Exceptions = Exception,
        escalate_on: Exceptions = (),
        heartbeat: float | None = None,
    ) -> None: ...

    def __init__(
        self, fn: Callable[..., Awaitable[object]], *args: Any, id: str | None = None, **fields: Any
    ) -> None:
        name = _function_id(fn) if id is None else _name("ChildSpec", id)
        self.__attrs_init__(fn, args, name, **fields)  # type: ignore[attr-defined]  # attrs' own

    def __attrs_post_init__(self) -> None:
        of = f"ChildSpec {self.id!r}"
        set_field = functools.partial(object.__setattr__, self)
        set_field("signals_ready", _inspect_function(of, self.fn, self.args, self.ready))
        set_field("_policy", _child_policy(of, self))

    @property
    def child_id(self) -> str:
        """The id it has in its supervisor."""
        return self.id

    @property
    def policy(self) -> ChildPolicy:
        """When to restart it, and how to stop it."""
        return self._policy


def _child_policy(of: str, spec: ChildSpec[Any] | DynamicSupervisorSpec) -> ChildPolicy:
    _check_policy(of, spec)
    _seconds(of, "kill_timeout", spec.kill_timeout)
    if spec.heartbeat is not None:
        _seconds(of, "heartbeat", spec.heartbeat, finite=True)
    return ChildPolicy(
        restart=spec.restart,
        shutdown=spec.shutdown,
        start_timeout=spec.start_timeout,
        significant=spec.significant,
        backoff=spec.backoff,
        on_limit=spec.on_limit,
        restart_on=_exceptions(of, "restart_on", spec.restart_on),
        escalate_on=_exceptions(of, "escalate_on", spec.escalate_on),
    )


@final
@frozen(init=False)
class SupervisorSpec(Spec["Supervisor"]):
    """Supervise ``children``, which start left to right and stop in reverse.

    A tree is a `SupervisorSpec` with others among its children.

    Raises:
      SpecError: a field is not what it may be, two children have one id, or a child's fields do
        not go with the supervisor's.
    """

    children: tuple[Spec[Any], ...]
    id: str | None = None
    strategy: Strategy = "one_for_one"
    max_restarts: float = 3
    max_seconds: float = 5.0
    auto_shutdown: AutoShutdown = "never"
    max_consecutive: int | None = None
    shutdown_timeout: float = math.inf
    restart: Restart = "permanent"
    shutdown: Grace = math.inf
    significant: bool = False
    start_timeout: float = math.inf
    backoff: Backoff | None = None
    _policy: ChildPolicy = field(init=False, eq=False, repr=False)

    def __init__(
        self,
        *children: Spec[Any],
        id: str | None = None,
        strategy: Strategy = "one_for_one",
        max_restarts: float = 3,
        max_seconds: float = 5.0,
        auto_shutdown: AutoShutdown = "never",
        max_consecutive: int | None = None,
        shutdown_timeout: float = math.inf,
        restart: Restart = "permanent",
        shutdown: Grace = math.inf,
        significant: bool = False,
        start_timeout: float = math.inf,
        backoff: Backoff | None = None,
    ) -> None:
        self.__attrs_init__(  # type: ignore[attr-defined]  # attrs' own
            children=children,
            id=id,
            strategy=strategy,
            max_restarts=max_restarts,
            max_seconds=max_seconds,
            auto_shutdown=auto_shutdown,
            max_consecutive=max_consecutive,
            shutdown_timeout=shutdown_timeout,
            restart=restart,
            shutdown=shutdown,
            significant=significant,
            start_timeout=start_timeout,
            backoff=backoff,
        )

    def __attrs_post_init__(self) -> None:
        if self.id is not None:
            _name("SupervisorSpec", self.id)
        of = f"SupervisorSpec {self.name!r}"
        _one_of(of, "strategy", self.strategy, ("one_for_one", "one_for_all", "rest_for_one"))
        _one_of(of, "auto_shutdown", self.auto_shutdown, _AUTO_SHUTDOWN)
        _check_limit(of, self)
        policy = ChildPolicy(
            kind="supervisor",
            restart=self.restart,
            shutdown=self.shutdown,
            significant=self.significant,
            start_timeout=self.start_timeout,
            backoff=self.backoff,
        )
        _check_policy(of, policy)
        object.__setattr__(self, "_policy", policy)
        self._check_children(of)

    def _check_children(self, of: str) -> None:
        seen = set[str]()
        for child in self.children:
            if not isinstance(child, Spec):
                raise SpecError("children", child, "a spec, such as a trido.ChildSpec", of=of)
            if child.child_id in seen:
                raise DuplicateChild(child.child_id, of=of)
            seen.add(child.child_id)
            self.check_child(child)

    def check_child(self, child: Spec[Any]) -> None:
        """Raise `SpecError` if this supervisor cannot have ``child``, whatever else it has."""
        of = f"child {child.child_id!r} of SupervisorSpec {self.name!r}"
        if child.policy.significant and self.auto_shutdown == "never":
            allowed = "False under a supervisor with auto_shutdown='never'"
            raise SpecError("significant", True, allowed, of=of)
        if child.policy.on_limit == "park" and self.strategy != "one_for_one":
            allowed = f"'escalate' under a {self.strategy} supervisor"
            raise SpecError("on_limit", "park", allowed, of=of)

    @property
    def name(self) -> str:
        """Its id; ``"root"`` for a root without one."""
        return "root" if self.id is None else self.id

    @property
    def child_id(self) -> str:
        """The id it has in its supervisor."""
        if self.id is None:
            raise SpecError("id", None, "given for a supervisor in another", of="SupervisorSpec")
        return self.id

    @property
    def policy(self) -> ChildPolicy:
        """When to restart it, and how to stop it."""
        return self._policy


_AUTO_SHUTDOWN = ("never", "any_significant", "all_significant")


@final
@frozen(init=False)
class DynamicSupervisorSpec(Spec["DynamicSupervisor[Unpack[tuple[Any, ...]]]"]):
    """Supervise any number of runs of one template, ``fn(*args, *extra_args)``.

    It starts empty; `DynamicSupervisor.start_child` adds a child. A child that stops or is
    ignored leaves; stopping the supervisor stops them all at once. ``restart`` and the other
    fields of a child are the template's; ``id`` and the limit are the supervisor's.

    Raises:
      SpecError: a field is not what it may be.
    """

    fn: Callable[..., Awaitable[object]]
    args: tuple[Any, ...]
    id: str | None = None
    max_children: float = math.inf
    max_restarts: float = 3
    max_seconds: float = 5.0
    max_consecutive: int | None = None
    shutdown_timeout: float = math.inf
    restart: Restart = "permanent"
    shutdown: Grace = 5.0
    ready: Ready | None = None
    start_timeout: float = math.inf
    kill_timeout: float = 5.0
    backoff: Backoff | None = None
    on_limit: OnLimit = "escalate"
    restart_on: Exceptions = Exception
    escalate_on: Exceptions = ()
    heartbeat: float | None = None
    strategy: Strategy = "one_for_one"
    auto_shutdown: AutoShutdown = "never"
    significant: bool = False
    template: ChildPolicy = field(init=False, eq=False, repr=False)
    """The policy of every child."""

    def __init__(
        self,
        fn: Callable[..., Awaitable[object]],
        *args: Any,
        id: str | None = None,
        max_children: float = math.inf,
        max_restarts: float = 3,
        max_seconds: float = 5.0,
        max_consecutive: int | None = None,
        shutdown_timeout: float = math.inf,
        restart: Restart = "permanent",
        shutdown: Grace = 5.0,
        ready: Ready | None = None,
        start_timeout: float = math.inf,
        kill_timeout: float = 5.0,
        backoff: Backoff | None = None,
        on_limit: OnLimit = "escalate",
        restart_on: Exceptions = Exception,
        escalate_on: Exceptions = (),
        heartbeat: float | None = None,
        strategy: Literal["one_for_one"] = "one_for_one",
        auto_shutdown: Literal["never"] = "never",
        significant: Literal[False] = False,
    ) -> None:
        self.__attrs_init__(  # type: ignore[attr-defined]  # attrs' own
            fn=fn,
            args=args,
            id=id,
            max_children=max_children,
            max_restarts=max_restarts,
            max_seconds=max_seconds,
            max_consecutive=max_consecutive,
            shutdown_timeout=shutdown_timeout,
            restart=restart,
            shutdown=shutdown,
            ready=ready,
            start_timeout=start_timeout,
            kill_timeout=kill_timeout,
            backoff=backoff,
            on_limit=on_limit,
            restart_on=restart_on,
            escalate_on=escalate_on,
            heartbeat=heartbeat,
            strategy=strategy,
            auto_shutdown=auto_shutdown,
            significant=significant,
        )

    def __attrs_post_init__(self) -> None:
        if self.id is not None:
            _name("DynamicSupervisorSpec", self.id)
        of = f"DynamicSupervisorSpec {self.name!r}"
        if not callable(self.fn) or not _is_async(self.fn):
            raise SpecError("fn", self.fn, "an async function", of=of)
        _one_of(of, "strategy", self.strategy, ("one_for_one",))
        _one_of(of, "auto_shutdown", self.auto_shutdown, ("never",))
        _one_of(of, "significant", self.significant, (False,))
        if self.ready is not None:
            _one_of(of, "ready", self.ready, ("started", "scheduled"))
        _count(of, "max_children", self.max_children, least=0, infinite=True)
        _check_limit(of, self)
        object.__setattr__(self, "template", _child_policy(of, self))

    @property
    def child_name(self) -> str:
        """What generated ids begin with."""
        name = getattr(_unwrapped(self.fn), "__name__", "child")
        return "child" if name == "<lambda>" else str(name)

    def child(self, id: str, extra_args: tuple[Any, ...]) -> ChildSpec[Any]:
        """The spec of the child that ``extra_args`` make of the template."""
        fields = {name: getattr(self, name) for name in _TEMPLATE_FIELDS}
        return ChildSpec(self.fn, *self.args, *extra_args, id=id, **fields)

    @property
    def name(self) -> str:
        """Its id; ``"root"`` for a root without one."""
        return "root" if self.id is None else self.id

    @property
    def child_id(self) -> str:
        """The id it has in its supervisor."""
        if self.id is None:
            allowed = "given for a supervisor in another"
            raise SpecError("id", None, allowed, of="DynamicSupervisorSpec")
        return self.id

    @property
    def policy(self) -> ChildPolicy:
        """When to restart it, and how to stop it, in another supervisor: permanent, in its time."""
        return _DYNAMIC_POLICY


_TEMPLATE_FIELDS = (
    "restart",
    "shutdown",
    "ready",
    "start_timeout",
    "kill_timeout",
    "backoff",
    "on_limit",
    "restart_on",
    "escalate_on",
    "heartbeat",
)
_DYNAMIC_POLICY = ChildPolicy(kind="supervisor", shutdown=math.inf)
