"""State classes: what an agent may have for its state, and the check of every new one."""

from __future__ import annotations

import copy
import dataclasses
import typing
from collections import abc, deque
from collections.abc import Callable
from typing import Any, Final, Generic, TypeVar, cast, final

import attrs
from attrs import field, frozen

from trido.agents.errors import InvalidData, InvalidDecision
from trido.agents.frozen import TOO_DEEP, FrozenDict, freeze
from trido.agents.glance import glance_at_change
from trido.agents.schema import Names, Record, Schema, fields, hints
from trido.agents.shapes import Shape
from trido.errors import SpecError

S = TypeVar("S")

_MUTABLE: Final = (
    list,
    dict,
    set,
    bytearray,
    deque,
    abc.MutableSequence,
    abc.MutableMapping,
    abc.MutableSet,
)
_ALLOWED: Final = "tuple, frozenset, dict, Mapping, frozen classes"


@final
class StateClass(Generic[S]):
    """A frozen attrs class whose fields all have defaults, and whose fields cannot change either.

    A dict, list or set that a field is given is frozen: see `trido.freeze`.

    Raises:
      SpecError: the class is not one.
    """

    __slots__ = ("_check", "_freezes", "cls", "follows", "initial", "shape")

    def __init__(self, of: str, cls: Any, names: Names) -> None:
        if not (isinstance(cls, type) and attrs.has(cls) and is_frozen(cls)):
            raise SpecError("state", cls, "a frozen attrs class", of=of)
        self.cls: type[attrs.AttrsInstance] = cls
        self.shape: Record = cast("Record", Schema(of, cls, names).shape)
        """What its instances look like."""
        self._check = _unchanging(self.shape)
        self.follows: Callable[[Any, Any], bool] = glance_at_change(cls, self._check.checks)
        """Whether a glance shows that a value is a state of this class, and passes `check`."""
        checks = self._check.checks
        self._freezes = tuple(name for name, shape in checks if isinstance(shape, Unchanging))
        _refuse_mutable(of, cls, names, set())
        try:
            initial = cast("S", cls())
        except TypeError as error:
            allowed = f"a class whose fields all have defaults ({error})"
            raise SpecError("state", cls, allowed, of=of) from error
        self.initial: S = self.frozen(initial)
        _refuse_mutable_defaults(of, self.initial, self._check)

    def check(self, new: S, old: S) -> S:
        """``new``, `frozen`, if all that is new in it has its declared type.

        Raises:
          InvalidDecision: a field has not.
        """
        try:
            new = self.frozen(new)
            self._check.check(new, before=old)
        except InvalidData as error:
            raise InvalidDecision(f"the new state is no {self.cls.__name__}: {error}") from None
        return new

    def frozen(self, state: S) -> S:
        """``state``, or if a field of it can change, a copy that has it frozen.

        Raises:
          InvalidData: something is nested too deeply, or in itself.
        """
        given = {name: getattr(state, name) for name in self._freezes}
        mutable = {name: one for name, one in given.items() if _is_mutable(one)}
        if not mutable:
            return state
        # Its own fields may be derived or converted: made anew, it could be another.
        state = copy.copy(state)
        for name, one in mutable.items():
            object.__setattr__(state, name, _frozen(name, one))
        return state


@final
@frozen(eq=False, repr=False)
class Unchanging(Shape):
    """A shape, but for values that can change: a field of a state holds none."""

    shape: Shape
    name: str = field(init=False)
    exact: frozenset[type] = field(init=False)

    def __attrs_post_init__(self) -> None:
        name = f"{self.shape.name} that cannot change (see trido.freeze)"
        object.__setattr__(self, "name", name)
        exact = self.shape.exact
        object.__setattr__(self, "exact", exact - {dict} | {FrozenDict} if dict in exact else exact)

    def accepts(self, value: object) -> bool:
        """Whether it is one, and cannot change."""
        return not _is_mutable(value) and self.shape.accepts(value)

    def build(self, value: Any, path: str) -> Any:
        """As the shape does."""
        return self.shape.build(value, path)


def _frozen(name: str, value: object) -> Any:
    try:
        return freeze(value)
    except RecursionError:
        raise InvalidData(f"$.{name}", f"expected {TOO_DEEP}") from None


def _unchanging(record: Record) -> Record:
    """The same class, of whose instances no field holds what can change."""
    strict = copy.copy(record)
    strict.checks = tuple(
        (name, Unchanging(shape) if _may_change(shape) else shape) for name, shape in record.checks
    )
    return strict


def _may_change(shape: Shape) -> bool:
    """Whether it would accept something that can change."""
    taken = [kind for kind in _MUTABLE for one in shape.exact if issubclass(kind, one)]
    return bool(taken) or not shape.exact


def is_frozen(cls: type) -> bool:
    """Whether the instances of an attrs class or a dataclass do not change."""
    if attrs.has(cls):
        # What attrs gives to classes that are frozen; attrs.inspect(), which says it, is newer.
        return getattr(cls.__setattr__, "__name__", "") == "_frozen_setattrs"
    parameters: Any = getattr(cls, "__dataclass_params__", None)
    return parameters is None or bool(parameters.frozen)


def _refuse_mutable(of: str, cls: type, names: Names, seen: set[type]) -> None:
    seen.add(cls)
    declarations = hints(of, cls, {**names, cls.__name__: cls})
    for name in (one.name for one in fields(cls)):
        declared = declarations.get(name, Any)
        for part in _parts(declared):
            if part is not dict and (issubclass(part, _MUTABLE) or not is_frozen(part)):
                allowed = f"immutable all the way down: {_ALLOWED}"
                raise SpecError(f"{cls.__name__}.{name}", declared, allowed, of=of)
            if part not in seen and (attrs.has(part) or dataclasses.is_dataclass(part)):
                _refuse_mutable(of, part, names, seen)


def _refuse_mutable_defaults(of: str, initial: object, record: Record) -> None:
    for name in (name for name, shape in record.checks if isinstance(shape, Unchanging)):
        value = getattr(initial, name)
        if _is_mutable(value):
            allowed = "a default that cannot change"
            raise SpecError(f"{record.name}.{name}", value, allowed, of=of)


def _is_mutable(value: object) -> bool:
    return isinstance(value, _MUTABLE) and not isinstance(value, FrozenDict)


def _parts(declared: Any) -> typing.Iterator[type]:
    """The classes that a declared type is made of."""
    origin = typing.get_origin(declared)
    if origin is typing.Literal:
        return
    if isinstance(origin or declared, type):
        yield origin or declared
    for one in typing.get_args(declared):
        yield from _parts(one)
