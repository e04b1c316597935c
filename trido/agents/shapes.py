"""Shapes: what a value of a declared type looks like, and how plain data becomes one, strictly.

Each shape answers two questions. `Shape.accepts`: is this value one, by its outside alone? And
`Shape.build`: what value of the type does this plain data stand for? Building turns no JSON type
into another, but for what JSON has no type for.
"""

from __future__ import annotations

import base64
import enum
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from collections.abc import Set as AbstractSet
from typing import Any, Final, final

from attrs import field, frozen

from trido.agents.errors import InvalidData
from trido.agents.frozen import FrozenDict, FrozenList
from trido.agents.glance import never
from trido.agents.secrets import is_secret_name, redacted


class Shape(ABC):
    """What a value of one declared type looks like."""

    __slots__ = ()

    name: str
    """How errors call it."""
    exact: frozenset[type]
    """Types whose instances it accepts without a closer look."""
    fits: Callable[[Any], bool] = staticmethod(never)
    """Whether a glance shows that `build` would give back a value itself; else call that."""

    @abstractmethod
    def accepts(self, value: object) -> bool:
        """Whether ``value`` is one, by its outside: collections are not entered."""

    @abstractmethod
    def build(self, value: Any, path: str) -> Any:
        """The value that ``value``, plain data found at ``path``, stands for.

        Raises:
          InvalidData: it stands for none.
        """


def got(value: object) -> str:
    """How errors call the type of ``value``."""
    return _GOT.get(type(value), type(value).__name__)


_GOT: Final[dict[type, str]] = {
    FrozenDict: "dict",
    FrozenList: "list",
    tuple: "list",
    type(None): "None",
}


def expected(path: str, shape: Shape, value: object) -> InvalidData:
    """The error for ``value`` at ``path``, where a ``shape`` belongs."""
    return InvalidData(path, f"expected {shape.name}, got {got(value)}")


@final
@frozen(eq=False, repr=False)
class Anything(Shape):
    """Any value at all."""

    name: str = "anything"
    exact: frozenset[type] = frozenset()

    def accepts(self, value: object) -> bool:
        """Whether it is a value."""
        return True

    def fits(self, value: object) -> bool:
        """Whether it is a value."""
        return True

    def build(self, value: Any, path: str) -> Any:
        """Itself."""
        return value


@final
@frozen(eq=False, repr=False)
class Instance(Shape):
    """An instance of a class. JSON has no other way to say it; True and False are no numbers."""

    cls: type
    name: str = field(init=False)
    exact: frozenset[type] = field(init=False)

    def __attrs_post_init__(self) -> None:
        name = "None" if self.cls is type(None) else self.cls.__name__
        object.__setattr__(self, "name", name)
        object.__setattr__(self, "exact", frozenset({self.cls}))

    def accepts(self, value: object) -> bool:
        """Whether it is an instance."""
        return isinstance(value, self.cls) and not (self.cls is int and isinstance(value, bool))

    def fits(self, value: object) -> bool:
        """Whether it is of this very class."""
        return type(value) is self.cls

    def build(self, value: Any, path: str) -> Any:
        """Itself, if it is one."""
        if self.accepts(value):
            return value
        raise expected(path, self, value)


@final
@frozen(eq=False, repr=False)
class Float(Shape):
    """A float; an int will do, as it does for type checkers."""

    name: str = "float"
    exact: frozenset[type] = frozenset({float, int})

    def accepts(self, value: object) -> bool:
        """Whether it is a number."""
        return isinstance(value, float | int) and not isinstance(value, bool)

    def build(self, value: Any, path: str) -> float:
        """The float it is, or the int is."""
        if not self.accepts(value):
            raise expected(path, self, value)
        try:
            return float(value)
        except OverflowError:
            raise InvalidData(path, "expected float, got an int too large for one") from None


@final
@frozen(eq=False, repr=False)
class Parsed(Shape):
    """Something that JSON has no type for: an instance, or a string that says one."""

    cls: type
    parse: Callable[[str], Any]
    name: str = field(init=False)
    exact: frozenset[type] = field(init=False)

    def __attrs_post_init__(self) -> None:
        object.__setattr__(self, "name", self.cls.__name__)
        object.__setattr__(self, "exact", frozenset({self.cls}))

    def accepts(self, value: object) -> bool:
        """Whether it is an instance."""
        return isinstance(value, self.cls)

    def build(self, value: Any, path: str) -> Any:
        """The instance, or what the string says."""
        if isinstance(value, self.cls):
            return value
        if not isinstance(value, str):
            raise expected(path, self, value)
        try:
            return self.parse(value)
        except (ValueError, ArithmeticError) as error:
            raise InvalidData(
                path, f"expected {self.name}, got {redacted(value, length=100)}"
            ) from error


def member(cls: type[enum.Enum], text: str) -> enum.Enum:
    """The member that a text says: by its value, or by its name if its value is no text."""
    try:
        return cls(text)
    except ValueError:
        found = cls.__members__.get(text)
        if found is None or member_text(found) != text:
            raise
        return found


def member_text(member: enum.Enum) -> str | None:
    """The text that says a member. There is none for flags that have no name of their own."""
    if isinstance(member.value, str):
        return str.__str__(member.value)
    return member.name if member.name in type(member).__members__ else None


def decode(text: str) -> bytes:
    """Base64, and nothing else."""
    return base64.b64decode(text, validate=True)


@final
@frozen(eq=False, repr=False)
class OneOf(Shape):
    """One of these very values."""

    values: tuple[object, ...]
    name: str = field(init=False)
    exact: frozenset[type] = frozenset()

    def __attrs_post_init__(self) -> None:
        object.__setattr__(self, "name", "one of " + ", ".join(map(repr, self.values)))

    def accepts(self, value: object) -> bool:
        """Whether it is one of them, and of the same type: True is not 1."""
        return any(type(one) is type(value) and one == value for one in self.values)

    def build(self, value: Any, path: str) -> Any:
        """Itself, if it is one of them."""
        if self.accepts(value):
            return value
        raise InvalidData(path, f"expected {self.name}, got {redacted(value, length=100)}")


@final
@frozen(eq=False, repr=False)
class Either(Shape):
    """A union."""

    shapes: tuple[Shape, ...]
    name: str = field(init=False)
    exact: frozenset[type] = field(init=False)

    def __attrs_post_init__(self) -> None:
        object.__setattr__(self, "name", " | ".join(shape.name for shape in self.shapes))
        exact = frozenset[type]().union(*(shape.exact for shape in self.shapes))
        object.__setattr__(self, "exact", exact)

    def accepts(self, value: object) -> bool:
        """Whether one of them accepts it."""
        return any(shape.accepts(value) for shape in self.shapes)

    def build(self, value: Any, path: str) -> Any:
        """By the member of its very type, or else by the first that can."""
        failed = []
        for shape in sorted(self.shapes, key=lambda shape: type(value) not in shape.exact):
            try:
                return shape.build(value, path)
            except InvalidData as error:
                if type(None) not in shape.exact:
                    failed.append(error)
        inside = [error for error in failed if error.path != path]
        # If only one member can have been meant, what is wrong there says more.
        meant = inside or failed
        raise meant[0] if len(meant) == 1 else expected(path, self, value)


@final
@frozen(eq=False, repr=False)
class Array(Shape):
    """Any number of items of one shape."""

    name: str
    cls: type
    make: Callable[..., Any]
    item: Shape
    exact: frozenset[type] = field(init=False)

    def __attrs_post_init__(self) -> None:
        object.__setattr__(self, "exact", frozenset({self.cls}))

    def accepts(self, value: object) -> bool:
        """Whether it is such a collection; text and bytes are none."""
        return isinstance(value, self.cls) and not isinstance(value, str | bytes)

    def build(self, value: Any, path: str) -> Any:
        """A new collection of the items, each built."""
        if not (isinstance(value, tuple | list) or self.accepts(value) or self._is_set(value)):
            raise expected(path, self, value)
        items = [self.item.build(one, f"{path}[{at}]") for at, one in enumerate(value)]
        try:
            return self.make(items)
        except TypeError as error:  # what cannot be hashed
            raise InvalidData(path, f"expected {self.name}: {error}") from error

    def _is_set(self, value: object) -> bool:
        """Whether it is a set where one is declared: in a signal they are all frozen."""
        return isinstance(value, AbstractSet) and issubclass(self.cls, AbstractSet)


@final
@frozen(eq=False, repr=False)
class Fixed(Shape):
    """A tuple of just these."""

    items: tuple[Shape, ...]
    name: str = field(init=False)
    exact: frozenset[type] = frozenset({tuple})

    def __attrs_post_init__(self) -> None:
        object.__setattr__(self, "name", f"tuple of {len(self.items)}")

    def accepts(self, value: object) -> bool:
        """Whether it is a tuple."""
        return isinstance(value, tuple)

    def build(self, value: Any, path: str) -> tuple[Any, ...]:
        """A tuple of the items, each built by its own shape."""
        if not isinstance(value, tuple | list):
            raise expected(path, self, value)
        if len(value) != len(self.items):
            raise InvalidData(path, f"expected {self.name}, got {len(value)} items")
        pairs = enumerate(zip(self.items, value, strict=True))
        return tuple(shape.build(one, f"{path}[{at}]") for at, (shape, one) in pairs)


@final
@frozen(eq=False, repr=False)
class Table(Shape):
    """A mapping."""

    name: str
    cls: type
    make: Callable[..., Any]
    key: Shape
    value: Shape
    exact: frozenset[type] = field(init=False)

    def __attrs_post_init__(self) -> None:
        object.__setattr__(self, "exact", frozenset({self.cls}))

    def accepts(self, value: object) -> bool:
        """Whether it is a mapping."""
        return isinstance(value, self.cls)

    def build(self, value: Any, path: str) -> Any:
        """A new mapping of what its keys and values stand for."""
        if not isinstance(value, Mapping):
            raise expected(path, self, value)
        built = {}
        for key, one in value.items():
            where = f"{path}.{key}"
            name = self.key.build(key, where)
            try:
                built[name] = self.value.build(one, where)
            except InvalidData:
                if is_secret_name(key):
                    raise expected(where, self.value, one) from None
                raise
        return self.make(built)
