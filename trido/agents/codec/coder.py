"""Coders: how a value of one declared type is written, so that it is read again as what it was.

Plain data alone does not tell a `datetime` from a text, or one class of a union from another with
the same fields. A coder knows the declared type, writes no more than the type leaves open, and
refuses what would come back as something else: a subclass, a list where a tuple was declared. What
cannot be read again is found when it is written, and not when it is needed.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable
from typing import Any, Final, final

from trido.agents.codec.errors import Misfit
from trido.agents.codec.text import DEEP, said, write
from trido.agents.shapes import got

TAG: Final = "$"
"""The member that tells which of several it is. No field is called so."""
NONE: Final = type(None)
Types = frozenset[type]
NO_TYPES: Final[Types] = frozenset()
SCALARS: Final[Types] = frozenset({NONE, bool, int, float, str})


def misfit(name: str, value: object) -> Misfit:
    """The error for ``value``, where something called ``name`` belongs. It does not show it."""
    return Misfit(f"expected {name}, got {got(value)}")


class Coder(ABC):
    """How values of one type are written."""

    __slots__ = ("has_none", "is_text", "name", "native", "plain", "types")

    def __init__(
        self,
        name: str,
        types: Types | None,
        *,
        native: Types = NO_TYPES,
        plain: Types = NO_TYPES,
        is_text: bool = False,
        has_none: bool = False,
    ) -> None:
        self.name: str = name
        """What errors and unions call it."""
        self.types: Types | None = types
        """The very types of its values; None if that does not tell."""
        self.native: Types = native
        """The types whose values are all its own, and written as they are."""
        self.plain: Types = plain
        """The types of JSON that it has values of, and writes as they are."""
        self.is_text: bool = is_text
        """Whether it writes nothing but texts, so that its values can be keys."""
        self.has_none: bool = has_none
        """Whether null may stand for a value."""

    @abstractmethod
    def dump(self, value: Any) -> Any:
        """``value`` as plain data. Raises `Misfit` if it would not come back as it is."""

    @abstractmethod
    def load(self, data: Any) -> Any:
        """The value that plain data says. Raises `Misfit` if it says none."""


def made(name: str, make: Callable[[Any], Any], parts: Any) -> Any:
    """What is made of these. What refuses them may show them."""
    try:
        return make(parts)
    except Exception as error:
        rule = f"expected {name}, which refused what it is made of ({type(error).__name__})"
        raise Misfit(rule) from None


def encoded(coder: Coder, value: Any) -> bytes:
    """``value`` as JSON. Raises `Misfit` if it would not come back as it is."""
    if type(value) in coder.native:
        return said(value).encode("utf-8", "surrogatepass")  # nothing is nested in there
    try:
        return write(coder.dump(value))
    except RecursionError:
        raise Misfit(DEEP) from None


@final
class Native(Coder):
    """None, bool, int, float or str: JSON has a type for it. An int will do for a float."""

    __slots__ = ()

    def __init__(self, name: str, types: Types) -> None:
        super().__init__(
            name,
            types,
            native=types,
            plain=types,
            is_text=types == {str},
            has_none=types == {NONE},
        )

    def dump(self, value: Any) -> Any:
        """Itself."""
        if type(value) in self.native:
            return value
        raise misfit(self.name, value)

    def load(self, data: Any) -> Any:
        """Itself."""
        return self.dump(data)


@final
class Text(Coder):
    """What is said by a text."""

    __slots__ = ("_cls", "_read", "_write")

    def __init__(
        self,
        cls: type,
        types: Types | None,
        write: Callable[[Any], str],
        read: Callable[[str], Any],
    ) -> None:
        super().__init__(cls.__name__, types, is_text=True)
        self._cls = cls
        self._write = write
        self._read = read

    def dump(self, value: Any) -> Any:
        """The text."""
        fits = isinstance(value, self._cls) if self.types is None else type(value) in self.types
        if not fits:
            raise misfit(self.name, value)
        return self._write(value)

    def load(self, data: Any) -> Any:
        """What the text says."""
        if type(data) is not str:
            raise misfit(self.name, data)
        try:
            return self._read(data)
        except Exception:  # whatever a parser has to say, it says it with the text
            raise Misfit(f"expected {self.name}, got another text") from None


@final
class Named(Coder):
    """One of these, each by a name of its own: the members of an enum, the values of a literal."""

    __slots__ = ("_names", "_values")

    def __init__(self, name: str, values: Iterable[tuple[Any, Any]]) -> None:
        pairs = tuple(values)
        types = frozenset(type(one) for _, one in pairs)
        own = frozenset(type(one) for said, one in pairs if said is one)
        super().__init__(
            name,
            types,
            plain=own if own == types else NO_TYPES,
            is_text=all(type(said) is str for said, _ in pairs),
            has_none=NONE in own,
        )
        # By type too: True is not 1.
        self._values = {(type(said), said): one for said, one in pairs}
        self._names = {(type(one), one): said for said, one in pairs}

    def dump(self, value: Any) -> Any:
        """Its name."""
        try:
            return self._names[type(value), value]
        except (KeyError, TypeError):
            raise misfit(self.name, value) from None

    def load(self, data: Any) -> Any:
        """What is called so."""
        try:
            return self._values[type(data), data]
        except (KeyError, TypeError):
            raise misfit(self.name, data) from None


@final
class Flags(Coder):
    """Flags, by the number that they add up to."""

    __slots__ = ("_cls",)

    def __init__(self, cls: Any) -> None:
        super().__init__(cls.__name__, frozenset({cls}))
        self._cls = cls

    def dump(self, value: Any) -> Any:
        """The number."""
        if type(value) is not self._cls:
            raise misfit(self.name, value)
        return int(value.value)

    def load(self, data: Any) -> Any:
        """The flags that add up to the number."""
        try:
            if type(data) is int:
                return self._cls(data)
        except ValueError:
            pass
        raise misfit(self.name, data)
