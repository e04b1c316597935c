"""Schemas: a declared type, compiled once into what checks and builds its values."""

from __future__ import annotations

import dataclasses
import enum
import functools
import types
import typing
from collections import abc
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Annotated, Any, Final, Literal, NewType, TypeVar, Union, final

import attrs

from trido.agents import shapes
from trido.agents.address import Address, AgentId
from trido.agents.errors import InvalidData
from trido.agents.frozen import FrozenDict
from trido.agents.glance import glance, glance_at_change, never
from trido.agents.secrets import has_secret, is_marked, is_secret_field
from trido.agents.shapes import Shape, expected
from trido.errors import SpecError

Names = Mapping[str, Any]
"""Names that annotations may use besides those of their module: the local ones."""


@final
class Schema:
    """A parameter type, compiled.

    Raises:
      SpecError: an annotation says nothing that could be checked.
    """

    __slots__ = ("secret", "shape")

    def __init__(self, of: str, declared: Any, names: Names) -> None:
        self.shape: Shape = _Compiler(of, names).shape(declared)
        self.secret: bool = is_marked(declared)

    def build(self, data: Any) -> Any:
        """``data`` as a value of the type: checked if it is one, built if it is plain data.

        An instance is neither copied nor rebuilt; the types of its fields are checked, and
        collections in them not entered.

        Raises:
          InvalidData: it is neither.
        """
        try:
            return self.shape.build(data, "$")
        except InvalidData:
            if self.secret:
                raise expected("$", self.shape, data) from None
            raise


@final
class Record(Shape):
    """An attrs class or a dataclass: an instance, or a mapping of its arguments."""

    __slots__ = (
        "arguments",
        "checks",
        "cls",
        "exact",
        "fits",
        "follows",
        "name",
        "required",
        "secrets",
    )

    def __init__(self, cls: type) -> None:
        self.cls: type = cls
        self.name: str = cls.__name__
        self.exact: frozenset[type] = frozenset({cls})
        self.checks: tuple[tuple[str, Shape], ...] = ()
        self.fits: Callable[[Any], bool] = never
        """Whether a value is of this very class, and passes `check`."""
        self.follows: Callable[[Any, Any], bool] = never
        """Whether an instance passes `check` after another."""
        self.arguments: dict[str, Shape] = {}
        self.required: tuple[str, ...] = ()
        self.secrets: frozenset[str] = frozenset()

    def accepts(self, value: object) -> bool:
        """Whether it is an instance."""
        return isinstance(value, self.cls)

    def check(self, value: object, path: str = "$", before: object = None) -> None:
        """Raise `InvalidData` unless the fields of an instance have the declared types.

        Those that are the same objects in ``before`` are taken to have.
        """
        for name, shape in self.checks:
            one = getattr(value, name)
            if before is not None and one is getattr(before, name):
                continue
            if not shape.accepts(one):
                raise expected(f"{path}.{name}", shape, one)

    def build(self, value: Any, path: str) -> Any:
        """The instance, if its fields are right; or a new one of the arguments given."""
        if isinstance(value, self.cls):
            self.check(value, path)
            return value
        if not isinstance(value, Mapping):
            raise expected(path, self, value)
        arguments = self._arguments(value, path)
        try:
            return self.cls(**arguments)
        except Exception as error:  # its own validators, say
            if self._has_secret(arguments):
                rule = f"expected {self.name}, which refused its fields ({type(error).__name__})"
                raise InvalidData(path, rule) from None
            raise InvalidData(path, f"expected {self.name}: {error}") from error

    def _has_secret(self, arguments: dict[str, Any]) -> bool:
        return not self.secrets.isdisjoint(arguments) or has_secret(arguments)

    def _arguments(self, value: Mapping[Any, Any], path: str) -> dict[str, Any]:
        arguments = {}
        for key, one in value.items():
            shape = self.arguments.get(key)
            if shape is None:
                raise InvalidData(f"{path}.{key}", f"{self.name} has no such field")
            try:
                arguments[key] = shape.build(one, f"{path}.{key}")
            except InvalidData:
                if key in self.secrets:
                    raise expected(f"{path}.{key}", shape, one) from None
                raise
        for name in self.required:
            if name not in arguments:
                raise InvalidData(
                    f"{path}.{name}", f"expected {self.arguments[name].name}, got nothing"
                )
        return arguments


def hints(of: str, thing: Any, names: Names) -> dict[str, Any]:
    """The annotations of a class or a function, as what they say."""
    # The names of its own module come first: local ones may happen to be called the same.
    try:
        return typing.get_type_hints(thing, include_extras=True)
    except NameError:
        pass
    try:
        return typing.get_type_hints(thing, localns=dict(names), include_extras=True)
    except (NameError, AttributeError, TypeError, SyntaxError) as error:
        raise unknown_name(of, thing, error) from error


def unknown_name(of: str, thing: object, error: Exception) -> SpecError:
    """The error for annotations that cannot be read."""
    allowed = f"annotated with names that can be looked up where it is defined ({error})"
    return SpecError("annotations", thing, allowed, of=of)


class _Compiler:
    """Compiles the types that one declaration leads to, each class once."""

    def __init__(self, of: str, names: Names) -> None:
        self._of = of
        self._names = names
        self._records: dict[type, Record] = {}

    def shape(self, declared: Any) -> Shape:
        """The shape of a declared type."""
        if declared is Any or declared is object or isinstance(declared, TypeVar):
            return shapes.Anything()
        if isinstance(declared, NewType):
            return self.shape(declared.__supertype__)
        origin = typing.get_origin(declared)
        if origin is not None:
            return self._generic(origin, typing.get_args(declared))
        return self._class(type(None) if declared is None else declared)

    def _generic(self, origin: Any, args: tuple[Any, ...]) -> Shape:
        if origin is Annotated:
            return self.shape(args[0])
        if origin is Literal:
            return shapes.OneOf(args)
        if origin is Union or origin is types.UnionType:
            return shapes.Either(tuple(map(self.shape, args)))
        if origin is tuple and args[1:] != (Ellipsis,):
            return shapes.Fixed(tuple(map(self.shape, args)))
        return self._collection(origin, args) or self._class(origin)

    def _collection(self, cls: Any, args: tuple[Any, ...]) -> Shape | None:
        """The shape of a collection whose items are of these types; of any, if none is given."""
        if cls in _ARRAYS:
            item = self.shape(args[0] if args else Any)
            return shapes.Array(_named(cls, args, item), cls, _ARRAYS[cls], item)
        if cls in _TABLES:
            key, value = map(self.shape, args or (Any, Any))
            return shapes.Table(_named(cls, args, value), cls, _TABLES[cls], key, value)
        return None

    def _class(self, cls: Any) -> Shape:
        if not isinstance(cls, type) or _cannot_be_told(cls):
            allowed = "a type whose values can be told at run time"
            raise SpecError("annotations", cls, allowed, of=self._of)
        if cls is float:
            return shapes.Float()
        if (cls.__module__, cls.__qualname__) in _PARSE_THEMSELVES:
            return shapes.Parsed(cls, cls)
        if cls in _PARSERS:
            return shapes.Parsed(cls, _PARSERS[cls])
        if issubclass(cls, enum.Enum):
            return shapes.Parsed(cls, functools.partial(shapes.member, cls))
        if (attrs.has(cls) or dataclasses.is_dataclass(cls)) and not self._is_closed(cls):
            return self.record(cls)
        return self._collection(cls, ()) or shapes.Instance(cls)

    def _is_closed(self, cls: type) -> bool:
        """Whether its annotations are for its authors alone, as `trio.Event`'s are."""
        if not any(one.name.startswith("_") for one in fields(cls)):
            return False
        try:
            self._hints(cls)
        except SpecError:
            return True
        return False

    def _hints(self, cls: type) -> dict[str, Any]:
        return hints(self._of, cls, {**self._names, cls.__name__: cls})

    def record(self, cls: type) -> Record:
        """The shape of a class with fields."""
        if cls in self._records:
            return self._records[cls]
        record = self._records[cls] = Record(cls)
        declared = self._hints(cls)
        inner = {one.name: self.shape(declared.get(one.name, Any)) for one in fields(cls)}
        record.checks = tuple(inner.items())
        record.fits = glance(cls, record.checks)
        record.follows = glance_at_change(cls, record.checks)
        taken = [one for one in fields(cls) if one.init]
        record.arguments = {_alias(one): inner[one.name] for one in taken}
        record.secrets = frozenset(
            _alias(one) for one in taken if is_secret_field(one, declared.get(one.name))
        )
        record.required = tuple(_alias(one) for one in taken if not _has_default(one))
        return record


def fields(cls: type) -> tuple[Any, ...]:
    """The fields of an attrs class or a dataclass."""
    return attrs.fields(cls) if attrs.has(cls) else dataclasses.fields(cls)


def _alias(field: Any) -> str:
    return str(getattr(field, "alias", field.name))


def _has_default(field: Any) -> bool:
    if isinstance(field, attrs.Attribute):
        return field.default is not attrs.NOTHING
    return any(one is not dataclasses.MISSING for one in (field.default, field.default_factory))


def _named(cls: type, args: tuple[Any, ...], item: Shape) -> str:
    return f"{cls.__name__} of {item.name}" if args else cls.__name__


def _cannot_be_told(cls: type) -> bool:
    return bool(getattr(cls, "_is_protocol", False)) or typing.is_typeddict(cls)


# Named, not imported: that takes milliseconds, and who uses one of them has done so.
_PARSE_THEMSELVES: Final = frozenset({("uuid", "UUID"), ("decimal", "Decimal")})
_PARSERS: Final[dict[type, Callable[[str], Any]]] = {
    datetime: datetime.fromisoformat,
    bytes: shapes.decode,
    Address: AgentId,
}
_ARRAYS: Final[dict[type, Callable[..., Any]]] = {
    list: list,
    tuple: tuple,
    set: set,
    frozenset: frozenset,
    abc.Sequence: tuple,
    abc.Collection: tuple,
    abc.Iterable: tuple,
    abc.Set: frozenset,
}
_TABLES: Final[dict[type, Callable[..., Any]]] = {
    dict: dict,
    abc.Mapping: FrozenDict,
}
