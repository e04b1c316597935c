"""What to run and how to restart it, as data.

Everything here is checked when it is made: a spec that exists is one that can be started.
"""

from __future__ import annotations

import copy
import functools
import math
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable
from operator import attrgetter
from typing import (
    TYPE_CHECKING,
    Any,
    Final,
    Generic,
    Protocol,
    TypeVar,
    TypeVarTuple,
    Unpack,
    cast,
    final,
    overload,
)

from attrs import field, fields, frozen

from trido.checks import count, exceptions, is_number, name, one_of, seconds
from trido.errors import SpecError
from trido.supervision.errors import DuplicateChild
from trido.supervision.functions import function_id, inspect_function, inspect_template, unwrapped
from trido.supervision.policy import (
    AutoShutdown,
    Backoff,
    ChildPolicy,
    Exceptions,
    Grace,
    OnLimit,
    Ready,
    Restart,
    Strategy,
)
from trido.values import ByFields

if TYPE_CHECKING:
    import trio

    from trido.supervision.options import (
        ChildOptions,
        DynamicOptions,
        NestedOptions,
    )
    from trido.supervision.supervisor import DynamicSupervisor, Supervisor  # noqa: F401  # in strings

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)
Ts = TypeVarTuple("Ts")


class ReadySignalling(Protocol[*Ts]):
    """An async function that says when it is ready, by ``task_status.started(value)``.

    What the value is cannot be typed here: type checkers do not infer it beside ``*Ts``.
    """

    def __call__(  # noqa: D102  # the class's words
        self, *args: *Ts, task_status: trio.TaskStatus[Any]
    ) -> Awaitable[object]: ...


class Spec(ByFields, ABC, Generic[T_co]):
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


def _check_limit(of: str, spec: SupervisorSpec | DynamicSupervisorSpec) -> None:
    count(of, "max_restarts", spec.max_restarts, least=0, infinite=True)
    if not (is_number(spec.max_seconds) and 0 < spec.max_seconds < math.inf):
        raise SpecError("max_seconds", spec.max_seconds, "a finite number > 0", of=of)
    if spec.max_consecutive is not None:
        count(of, "max_consecutive", spec.max_consecutive, least=0, infinite=False)
    seconds(of, "shutdown_timeout", spec.shutdown_timeout)


def _fill(spec: Any, *args: object, **options: object) -> None:
    """Fill in the fields by the initializer that attrs wrote, which cannot take ``*args`` apart."""
    try:
        spec.__attrs_init__(*args, **options)
    except TypeError as error:
        raise TypeError(str(error).replace(".__attrs_init__()", "()")) from None


@final
@frozen(init=False, eq=False, repr=False)
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
        self: ChildSpec[Any],
        fn: ReadySignalling[*Ts],
        *args: *Ts,
        **options: Unpack[ChildOptions],
    ) -> None: ...

    @overload
    def __init__(
        self: ChildSpec[None],
        fn: Callable[[*Ts], Awaitable[object]],
        *args: *Ts,
        **options: Unpack[ChildOptions],
    ) -> None: ...

    def __init__(
        self, fn: Callable[..., Awaitable[object]], *args: object, **options: Unpack[ChildOptions]
    ) -> None:
        id = options.pop("id", None)
        args = cast("Any", options).pop("args", args)  # attrs.evolve names every field
        _fill(self, fn, args, function_id(fn) if id is None else id, **options)

    def __attrs_post_init__(self) -> None:
        of = f"ChildSpec {name('ChildSpec', self.id)!r}"
        set_field = functools.partial(object.__setattr__, self)
        set_field("signals_ready", inspect_function(of, self.fn, self.args, self.ready))
        set_field("_policy", _child_policy(of, self))

    @property
    def child_id(self) -> str:
        """The id it has in its supervisor."""
        return self.id

    @property
    def policy(self) -> ChildPolicy:
        """When to restart it, and how to stop it."""
        return self._policy

    def without_args(self) -> ChildSpec[T]:
        """The same, with no arguments to keep alive."""
        if not self.args:
            return self
        spec = copy.copy(self)
        object.__setattr__(spec, "args", ())
        return spec


def _child_policy(of: str, spec: ChildSpec[Any] | DynamicSupervisorSpec) -> ChildPolicy:
    seconds(of, "kill_timeout", spec.kill_timeout)
    if spec.heartbeat is not None:
        seconds(of, "heartbeat", spec.heartbeat, finite=True)
        if spec.heartbeat == 0:
            raise SpecError("heartbeat", spec.heartbeat, "a number of seconds > 0", of=of)
    terms = _terms_of(spec)
    try:
        return _known_policy(*terms)
    except (SpecError, TypeError):  # what is wrong is said of this child; so is what has no hash
        return _new_policy(*terms, of=of)


_TERMS: Final = tuple(one.name for one in fields(ChildPolicy) if one.name != "kind")
_terms_of: Final = attrgetter(*_TERMS)


def _new_policy(*terms: Any, of: str = "ChildSpec") -> ChildPolicy:
    said = dict(zip(_TERMS, terms, strict=True))
    for one in ("restart_on", "escalate_on"):
        said[one] = exceptions(of, one, said[one])
    policy = ChildPolicy(**said)
    policy.check(of)
    return policy


# One object for all the children with the same terms: they may be many.
_known_policy: Final = functools.lru_cache(maxsize=256, typed=True)(_new_policy)


@final
@frozen(init=False, eq=False, repr=False)
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

    def __init__(self, *children: Spec[Any], **options: Unpack[NestedOptions]) -> None:
        children = cast("Any", options).pop("children", children)  # from attrs.evolve
        _fill(self, children, **options)

    def __attrs_post_init__(self) -> None:
        if self.id is not None:
            name("SupervisorSpec", self.id)
        of = f"SupervisorSpec {self.name!r}"
        one_of(of, "strategy", self.strategy, ("one_for_one", "one_for_all", "rest_for_one"))
        one_of(of, "auto_shutdown", self.auto_shutdown, _AUTO_SHUTDOWN)
        _check_limit(of, self)
        policy = ChildPolicy(
            kind="supervisor",
            restart=self.restart,
            shutdown=self.shutdown,
            significant=self.significant,
            start_timeout=self.start_timeout,
            backoff=self.backoff,
        )
        policy.check(of)
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
        policy = child.policy
        if policy.significant and self.auto_shutdown == "never":
            allowed = "False under a supervisor with auto_shutdown='never'"
            raise SpecError("significant", policy.significant, allowed, of=self._child_named(child))
        if policy.on_limit == "park" and self.strategy != "one_for_one":
            allowed = f"'escalate' under a {self.strategy} supervisor"
            raise SpecError("on_limit", "park", allowed, of=self._child_named(child))

    def _child_named(self, child: Spec[Any]) -> str:
        return f"child {child.child_id!r} of SupervisorSpec {self.name!r}"

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
@frozen(init=False, eq=False, repr=False)
class DynamicSupervisorSpec(Spec["DynamicSupervisor[*tuple[Any, ...]]"]):
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
        self, fn: Callable[..., Awaitable[object]], *args: Any, **options: Unpack[DynamicOptions]
    ) -> None:
        args = cast("Any", options).pop("args", args)  # from attrs.evolve
        _fill(self, fn, args, **options)

    def __attrs_post_init__(self) -> None:
        if self.id is not None:
            name("DynamicSupervisorSpec", self.id)
        of = f"DynamicSupervisorSpec {self.name!r}"
        inspect_template(of, self.fn, self.args, self.ready)
        one_of(of, "strategy", self.strategy, ("one_for_one",))
        one_of(of, "auto_shutdown", self.auto_shutdown, ("never",))
        one_of(of, "significant", self.significant, (False,))
        count(of, "max_children", self.max_children, least=0, infinite=True)
        _check_limit(of, self)
        object.__setattr__(self, "template", _child_policy(of, self))

    @property
    def child_name(self) -> str:
        """What generated ids begin with."""
        name = getattr(unwrapped(self.fn), "__name__", "child")
        return "child" if name == "<lambda>" else str(name)

    def child(self, id: str, extra_args: tuple[Any, ...]) -> ChildSpec[Any]:
        """The spec of the child that ``extra_args`` make of the template."""
        template = {key: getattr(self, key) for key in TEMPLATE_FIELDS}
        options = cast("ChildOptions", {**template, "id": id})
        return ChildSpec(self.fn, *(*self.args, *extra_args), **options)

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


def supervisor_spec(field: str, spec: object) -> None:
    """``spec`` is a supervisor's."""
    if not isinstance(spec, SupervisorSpec | DynamicSupervisorSpec):
        allowed = "a trido.SupervisorSpec or a trido.DynamicSupervisorSpec"
        raise SpecError(field, spec, allowed)


TEMPLATE_FIELDS = (
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
