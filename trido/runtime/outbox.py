"""Outboxes: what an agent has committed to do, and has not done yet.

An outbox belongs to the agent's place and outlives its runs. A *lane* is one receiver or one
executor: what is for it waits there in order, and the next is begun when the one before is done,
whichever turn or run it comes from. Lanes do not wait for each other. What can be done at once, as
most can, never enters a lane.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Hashable
from typing import Final, Protocol, final

CAPACITY: Final = 1024
"""How many directives may wait. An empty outbox takes whatever one turn commits."""


class Item(Protocol):
    """A directive on its way."""

    def begin(self) -> bool:
        """Begin; True if it is done already. If not, it says so later: `Outbox.done`."""
        ...

    def give_up(self) -> None:
        """Nobody waits for it any more: leave off, if it was begun, and make it a dead letter."""
        ...


@final
class Outbox:
    """What one agent has committed to do, and has not done yet."""

    __slots__ = ("_idle", "_lanes", "_size", "_when_empty")

    def __init__(self, idle: Callable[[], None]) -> None:
        self._idle = idle
        self._lanes: dict[Hashable, deque[Item]] = {}
        self._size = 0
        self._when_empty: Callable[[], None] | None = None

    def __len__(self) -> int:
        return self._size

    def goes_on_without(self, lane: Hashable) -> bool:
        """Whether something is left to be done outside this lane."""
        return any(other != lane for other in self._lanes)

    def has_room(self, more: int, besides: int = 0) -> bool:
        """Whether a turn with so many directives may be committed; ``besides`` wait elsewhere."""
        waiting = self._size + besides
        return not waiting or waiting + more <= CAPACITY

    def put(self, lane: Hashable, item: Item) -> None:
        """Have one carried out, once those before it in its lane are done."""
        queue = self._lanes.get(lane)
        if queue is None:
            if item.begin():
                return
            queue = self._lanes[lane] = deque()
        queue.append(item)
        self._size += 1

    def done(self, lane: Hashable) -> None:
        """What was begun last in this lane is done: begin the next."""
        queue = self._lanes.get(lane)
        while queue:
            queue.popleft()
            self._size -= 1
            if queue and not queue[0].begin():
                return
        self._lanes.pop(lane, None)
        if not self._size:
            self._tell()

    def resume(self, lane: Hashable) -> None:
        """Begin again what could not be in this lane."""
        queue = self._lanes.get(lane)
        if queue and queue[0].begin():
            self.done(lane)

    def when_empty(self, tell: Callable[[], None]) -> None:
        """Call ``tell`` once nothing is left to be done; at once if nothing is."""
        self._when_empty = tell
        if not self._size:
            self._tell()

    def give_up(self) -> None:
        """Do nothing more: make dead letters of what is left."""
        self._when_empty = None
        lanes, self._lanes, self._size = self._lanes, {}, 0
        for queue in lanes.values():
            for item in queue:
                item.give_up()

    def _tell(self) -> None:
        self._idle()
        told, self._when_empty = self._when_empty, None
        if told is not None:
            told()
