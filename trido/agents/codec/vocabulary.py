"""Signals as a runtime writes them: with the version of their data, which all its agents share."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, final

from trido.agents.codec.errors import Misfit
from trido.agents.codec.signals import MEMBERS, dump_plain, dump_signal, load_signal
from trido.agents.codec.text import read, write
from trido.agents.codec.upgrading import check_known, upgrade
from trido.agents.definition import Definition
from trido.agents.signal import Signal
from trido.agents.versions import FIRST, Version
from trido.errors import SpecError

SIGNAL: Final = MEMBERS | {"version"}
"""What a signal has, as a runtime writes it."""


@final
class Vocabulary:
    """The types of signals whose data has a version.

    A lenient one takes signals for agents that it does not know as they come, of any version.
    """

    __slots__ = ("_is_lenient", "_of", "versions")

    def __init__(self, *, is_lenient: bool) -> None:
        self._is_lenient = is_lenient
        self.versions: dict[str, Version] = {}
        """By the types of signals; those that are not in here have the first."""
        self._of: dict[str, str] = {}

    def learn(self, definition: Definition[Any]) -> None:
        """Learn what the routes of an agent say.

        Raises:
          SpecError: another route says something else.
        """
        said = {one.pattern: one.version for one in definition.routes if one.version != FIRST}
        for type, version in said.items():
            if self.versions.get(type, version) != version:
                allowed = f"what {self._of[type]} says of {type!r}, with the same upgrades"
                raise SpecError("version", version.number, allowed, of=definition.of)
        self.versions.update(said)
        self._of.update(dict.fromkeys(said, definition.of))

    def dump(self, signal: Signal) -> dict[str, Any]:
        """The members of a signal. Raises `Misfit`."""
        said = dump_signal(signal)
        version = self.versions.get(signal.type)
        if version is not None:
            said["version"] = version.number
        return said

    def load(self, said: Mapping[str, Any]) -> Signal:
        """The signal that has these members, with its data as it is written now.

        Raises:
          Misfit: it is none.
          NewerVersion, Undecodable: its data is of another version, and cannot be upgraded.
        """
        signal = load_signal(said)
        found = said.get("version", 1)
        if type(found) is not int or found < 1:
            raise Misfit("expected a version", ".version")
        version = self.versions.get(signal.type, FIRST)
        if found == version.number or (self._is_lenient and signal.type not in self.versions):
            return signal
        what = f"data of signal {signal.type!r}"
        check_known(what, version, found)
        data = read(write(dump_plain(upgrade(what, version, signal.data, found), ".data")))
        return load_signal({**said, "data": data})
