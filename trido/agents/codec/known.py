"""What a runtime was given, each by its name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, final

from attrs import Factory, define

from trido.agents.action import Action
from trido.agents.codec.coder import misfit
from trido.agents.codec.errors import unregistered
from trido.agents.codec.vocabulary import Vocabulary
from trido.agents.definition import Definition


@final
@define(eq=False)
class Known:
    """The agents, the actions, and the signals whose data has a version."""

    actions: dict[str, Action[Any, Any]]
    vocabulary: Vocabulary
    agents: dict[str, Definition[Any]] = Factory(dict)

    def name_of(self, what: str, kind: str, thing: Any) -> str:
        """The name of an agent or an action, by which it will be found again.

        Raises:
          Unregistered: it will not be.
        """
        found: Any = self._of(kind).get(thing.name)
        if found is not thing:
            said = "is not known" if found is None else "is another one than is known by that name"
            raise unregistered(what, kind, thing.name, said)
        name: str = thing.name
        return name

    def named(self, what: str, kind: str, name: object) -> Any:
        """The agent or the action of that name. Raises `Unregistered`."""
        if not isinstance(name, str):
            raise misfit(f"the name of an {kind}", name)
        found = self._of(kind).get(name)
        if found is None:
            raise unregistered(what, kind, name)
        return found

    def _of(self, kind: str) -> Mapping[str, Any]:
        return self.agents if kind == "agent" else self.actions
