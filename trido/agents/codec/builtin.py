"""Coders of those of trido's own directives that name code, or hold signals.

What stands in a directive but is code, an agent or an action, is written by its name.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, final

import attrs

from trido.agents.address import Address, AgentId
from trido.agents.codec.coder import Coder, made
from trido.agents.codec.collection import Loose
from trido.agents.codec.errors import Misfit
from trido.agents.codec.known import Known
from trido.agents.codec.signals import dump_plain
from trido.agents.codec.text import members
from trido.agents.codec.vocabulary import SIGNAL
from trido.agents.directive import Emit, Via
from trido.agents.family import SpawnAgent
from trido.agents.running import Run


class _Own(Coder):
    """One of trido's own directives."""

    __slots__ = ("_known",)

    def __init__(self, cls: type, known: Known) -> None:
        super().__init__(cls.__name__, frozenset({cls}))
        self._known = known


@final
class EmitCoder(_Own):
    """An `Emit`. The ref of an agent is written as its id."""

    __slots__ = ()

    def dump(self, value: Emit) -> Any:
        """The signal, and whom it is for."""
        said = self._known.vocabulary.dump(value.signal)
        to = value.to
        if isinstance(to, Address):
            said["ref"] = to.id
        elif isinstance(to, Via):
            said["via"] = to.name
        elif to is not None:
            said["to"] = str.__str__(to)
        return said

    def load(self, data: Any) -> Emit:
        """The `Emit` that says so."""
        said = members(data, _EMIT)
        signal = self._known.vocabulary.load(said)
        emit: Emit = made("Emit", lambda said: Emit(signal, to=_receiver(said)), said)
        return emit


_EMIT: Final = SIGNAL | {"ref", "via", "to"}


def _receiver(said: Mapping[str, Any]) -> Address | Via | str | None:
    if "ref" in said:
        return AgentId(said["ref"])
    return Via(said["via"]) if "via" in said else said.get("to")


@final
class RunCoder(_Own):
    """A `Run`."""

    __slots__ = ()

    def dump(self, value: Run) -> Any:
        """The name of the action, its parameters as plain data, and what is not as usual."""
        name = self._known.name_of("directive 'Run'", "action", value.action)
        params = dump_plain(value.params, ".params")
        return {"action": name, "params": params, **_unusual(value, _RUN)}

    def load(self, data: Any) -> Run:
        """The `Run` that says so."""
        said = dict(members(data, frozenset({"action", "params", *_RUN})))
        action = self._known.named("directive 'Run'", "action", said.pop("action", None))
        run: Run = made("Run", lambda said: Run(action, **said), said)
        return run


_RUN: Final = ("ok", "error", "where", "delivery")


@final
class SpawnCoder(_Own):
    """A `SpawnAgent`. Its settings must be plain data."""

    __slots__ = ()

    def dump(self, value: SpawnAgent) -> Any:
        """The name of the agent, its tag, and what is not as usual."""
        name = self._known.name_of("directive 'SpawnAgent'", "agent", value.agent)
        said = {"agent": name, "tag": value.tag, **_unusual(value, _SPAWN)}
        if value.settings:
            said["settings"] = {key: _setting(key, one) for key, one in value.settings.items()}
        return said

    def load(self, data: Any) -> SpawnAgent:
        """The `SpawnAgent` that says so."""
        said = dict(members(data, frozenset({"agent", "tag", "settings", *_SPAWN})))
        agent = self._known.named("directive 'SpawnAgent'", "agent", said.pop("agent", None))
        spawn: SpawnAgent = made("SpawnAgent", lambda said: SpawnAgent(agent, **said), said)
        return spawn


_SPAWN: Final = ("id", "detached", "on_parent_death")
_PLAIN: Final = Loose()


def _setting(name: str, value: object) -> Any:
    try:
        return _PLAIN.dump(value)
    except Misfit:
        rule = f"expected plain data, for it has to be written; got {type(value).__name__}"
        raise Misfit(rule, f".settings.{name}") from None


def _unusual(directive: attrs.AttrsInstance, names: tuple[str, ...]) -> dict[str, Any]:
    """Those of the fields that are not as they are when nothing is said."""
    defaults = attrs.fields_dict(type(directive))
    found = {name: getattr(directive, name) for name in names}
    return {name: one for name, one in found.items() if one != defaults[name].default}
