"""Who had an id before: refs are kept for whoever gets it next, as long as somebody holds them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, TypeAlias, final
from weakref import ref as weak

if TYPE_CHECKING:
    from trido.runtime.ref import AgentRef

    Ref: TypeAlias = AgentRef[Any]

SLACK: Final = 64


@final
class FormerRefs:
    """The refs of agents that have ended, by their ids. None is kept alive by being in here.

    As a `weakref.WeakValueDictionary`; but what is gone leaves it later, many at once. To be told
    of each would be a tenth of what it costs to stop an agent.
    """

    __slots__ = ("_kept", "_most")

    def __init__(self) -> None:
        self._kept: dict[str, weak[Ref]] = {}
        self._most = SLACK

    def __len__(self) -> int:
        """How many it has, those that are gone and have not left included."""
        return len(self._kept)

    def __setitem__(self, id: str, ref: Ref) -> None:
        """Its agent has ended."""
        if len(self._kept) >= self._most:
            self._kept = {id: kept for id, kept in self._kept.items() if kept() is not None}
            self._most = 2 * len(self._kept) + SLACK
        self._kept[id] = weak(ref)

    def get(self, id: str) -> Ref | None:
        """The ref of who had this id last, if somebody holds it."""
        kept = self._kept.get(id)
        return None if kept is None else kept()

    def pop(self, id: str) -> Ref | None:
        """As `get`; and keep it no more."""
        kept = self._kept.pop(id, None)
        return None if kept is None else kept()
