"""States: each field written on its own, so that a turn writes no more than it changed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, Generic, TypeGuard, TypeVar, cast, final

from trido.agents.codec.coder import encoded, misfit
from trido.agents.codec.compiler import Compiler
from trido.agents.codec.errors import Misfit, Undecodable, Unencodable
from trido.agents.codec.record import Record
from trido.agents.codec.signals import dump_plain
from trido.agents.codec.text import members, read, write
from trido.agents.codec.upgrading import check_known, upgrade
from trido.agents.definition import Definition
from trido.agents.frozen import freeze

S = TypeVar("S")

HEAD: Final = "$"
"""Stands beside the fields of a state that is written whole: its version, and which they are."""
_HEAD: Final = frozenset({"version", "fields"})
_CHANGED: Final = (
    "; if the class has changed since it was written, give the agent a version= and upgrades="
)


@final
class StateCodec(Generic[S]):
    """Writes and reads the states of one definition. To make one is to check that it can.

    Raises:
      SpecError: a field of the state class has a type whose values could not be read again.
    """

    __slots__ = ("_cls", "_coder", "_head", "_version", "_what", "definition")

    def __init__(self, definition: Definition[S]) -> None:
        self.definition: Definition[S] = definition
        self._what = f"state of {definition.of}"
        self._cls = definition.state.cls
        self._coder = cast("Record", Compiler(definition.of).record(definition.state.shape))
        self._version = definition.version
        head = {"version": self._version.number, "fields": sorted(self._coder.fields)}
        self._head = write(head)

    def encode(self, new: S, old: S | None = None) -> dict[str, bytes]:
        """The fields of ``new``: those that are not the same objects in ``old``, or all.

        What is written whole stands for itself; the rest is added to what was written before it,
        which must be of this very form: see `is_current`.

        Raises:
          Unencodable: a value could not be read again.
        """
        if type(new) is not self._cls:
            raise self._unencodable(misfit(self._cls.__name__, new))
        found = {HEAD: self._head} if old is None else {}
        name = ""
        try:
            for name, (attribute, coder) in self._coder.fields.items():
                one = getattr(new, attribute)
                if old is None or one is not getattr(old, attribute):
                    found[name] = encoded(coder, one)
        except Misfit as error:
            raise self._unencodable(error.under(f".{name}")) from None
        return found

    def _unencodable(self, error: Misfit) -> Unencodable:
        return Unencodable(self._what, f"${error.path}", error.rule)

    def attribute(self, field: str) -> str:
        """What a field is called in the class; it is written by the name of its argument."""
        return self._coder.fields[field][0]

    def is_current(self, fields: Mapping[str, bytes]) -> bool:
        """Whether what a turn changes can be added to these fields.

        If not, they are of another version, and the next turn must write its state whole.
        """
        return fields.get(HEAD) == self._head

    def decode(self, fields: Mapping[str, bytes]) -> S:
        """The state that has these fields: what was written whole, and all that came after.

        Fields of older versions are upgraded. One that was not there yet when they were written
        has its default.

        Raises:
          NewerVersion: it was written by a newer version.
          Undecodable: it is no state of this definition, or an upgrade failed.
        """
        data = {}
        name = ""
        try:
            for name, one in fields.items():
                data[name] = read(one)
        except Misfit as error:
            raise Undecodable(self._what, f"$.{name}", error.rule) from None
        return self.load(data)

    def load(self, data: dict[str, Any]) -> S:
        """The state that has these fields, as plain data. Raises as `decode` does."""
        try:
            found = self._found(data)
            fields = {name: one for name, one in data.items() if name != HEAD}
            if found != self._version.number:
                fields = self._upgraded(fields, found)
        except Misfit as error:
            raise Undecodable(self._what, f"${error.path}", error.rule) from None
        try:
            return self.definition.state.frozen(cast("S", self._coder.load(fields)))
        except Misfit as error:
            raise Undecodable(self._what, f"${error.path}", error.rule + _CHANGED) from None

    def _found(self, data: dict[str, Any]) -> int:
        """The version of the data, if it is complete."""
        head = members(data.get(HEAD), _HEAD)
        found, names = head.get("version"), head.get("fields")
        if type(found) is not int or found < 1 or not _are_names(names):
            raise Misfit("expected a version and the names of fields", f".{HEAD}")
        check_known(self._what, self._version, found)
        for name in names:
            if name not in data:
                raise Misfit("it was written, and is not there", f".{name}")
        return found

    def _upgraded(self, data: dict[str, Any], found: int) -> dict[str, Any]:
        upgraded = upgrade(self._what, self._version, freeze(data), found)
        if not isinstance(upgraded, Mapping):
            raise misfit("a mapping from an upgrade", upgraded)
        # What it made of it may be typed, and as deep as it likes.
        fields: dict[str, Any] = read(write(dump_plain(upgraded)))
        return fields


def _are_names(names: Any) -> TypeGuard[list[str]]:
    return isinstance(names, list) and all(isinstance(one, str) for one in names)
