"""Directives, by name: those of trido, and one's own."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, cast, final

from trido.agents.codec.builtin import EmitCoder, RunCoder, SpawnCoder
from trido.agents.codec.coder import Coder, encoded
from trido.agents.codec.compiler import Compiler
from trido.agents.codec.errors import Misfit, Undecodable, Unencodable, unregistered
from trido.agents.codec.known import Known
from trido.agents.codec.text import read
from trido.agents.directive import Directive, Emit
from trido.agents.family import AdoptChild, Demonitor, Link, Monitor, SpawnAgent, StopChild
from trido.agents.running import Run
from trido.agents.schema import Names, Record, Schema
from trido.errors import SpecError

BUILT_IN: Final[dict[str, type]] = {
    cls.__name__: cls
    for cls in (Emit, Run, SpawnAgent, StopChild, AdoptChild, Monitor, Demonitor, Link)
}
"""What of trido's own is kept until it is carried out."""


@final
class Directives:
    """Writes and reads directives.

    Raises:
      SpecError: a directive of one's own is called like one of trido's.
    """

    __slots__ = ("_coders", "_kinds", "_names", "_of_kind")

    def __init__(self, known: Known, own: Mapping[str, type], names: Names) -> None:
        for name in BUILT_IN.keys() & own.keys():
            allowed = "a name that none of trido's directives has"
            raise SpecError("directives", name, allowed, of="Codec")
        self._kinds = {**BUILT_IN, **own}
        self._of_kind = {kind: name for name, kind in self._kinds.items()}
        self._names = names
        self._coders: dict[str, Coder] = {
            "Emit": EmitCoder(Emit, known),
            "Run": RunCoder(Run, known),
            "SpawnAgent": SpawnCoder(SpawnAgent, known),
        }

    def learn(self, kind: type) -> None:
        """Have one more class of one's own known by its name, unless another is."""
        if kind.__name__ not in self._kinds:
            self._kinds[kind.__name__] = kind
            self._of_kind[kind] = kind.__name__

    def encode(self, directive: Directive) -> tuple[str, bytes]:
        """Its name, and what it says.

        Raises:
          Unregistered: it, or what it is about, could not be found again by its name.
          Unencodable: something in it could not be read again.
        """
        kind = type(directive)
        name = self._of_kind.get(kind)
        if name is None:
            raise unregistered("directive", "directive", kind.__name__)
        try:
            return name, encoded(self._coder(name), directive)
        except Misfit as error:
            raise Unencodable(_what(name), f"${error.path}", error.rule) from None

    def decode(self, name: str, data: bytes) -> Directive:
        """The directive of that name that says so.

        Raises:
          Unregistered: it, or what it is about, is not known by its name.
          NewerVersion: it has data of a newer version.
          Undecodable: it is none.
        """
        if name not in self._kinds:
            raise unregistered("directive", "directive", name)
        try:
            directive: Directive = self._coder(name).load(read(data))
        except Misfit as error:
            raise Undecodable(_what(name), f"${error.path}", error.rule) from None
        return directive

    def _coder(self, name: str) -> Coder:
        """Made when it is needed: what no durable agent wants done need not be written."""
        coder = self._coders.get(name)
        if coder is None:
            coder = self._coders[name] = self._compiled(name)
        return coder

    def _compiled(self, name: str) -> Coder:
        kind = self._kinds[name]
        try:
            shape = Schema(_what(name), kind, self._names).shape
            return Compiler(_what(name)).record(cast("Record", shape))
        except SpecError as error:
            raise Misfit(f"{error.field} must be {error.allowed}") from None


def _what(name: str) -> str:
    return f"directive {name!r}"
