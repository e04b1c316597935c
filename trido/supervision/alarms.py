"""When to think of which child again: a heap in which setting and clearing cost next to nothing."""

from __future__ import annotations

import copy
import heapq
import math
from typing import Literal, TypeAlias

from attrs import Factory, define

Alarm: TypeAlias = Literal["start", "grace", "retry"]

_SLACK = 64


@define(eq=False, repr=False)
class Alarms:
    """At most one alarm for each child. Pure: it is told what time it is."""

    _set: dict[str, tuple[int, Alarm]] = Factory(dict)
    _heap: list[tuple[float, int, str]] = Factory(list)
    _new: dict[str, float] = Factory(dict)
    """When those are due that are not in the heap yet: most are cleared before anybody asks."""
    _number: int = 0

    def set(self, id: str, kind: Alarm, due: float) -> None:
        """Ring for ``id`` at ``due`` and not at any time set before; never, if that is inf."""
        self.clear(id)
        if due == math.inf:
            return
        self._number += 1
        self._set[id] = (self._number, kind)
        self._new[id] = due

    def clear(self, id: str) -> None:
        """Do not ring for ``id``."""
        if self._set.pop(id, None) is not None:
            self._new.pop(id, None)

    def next(self) -> float:
        """When the next alarm is due; inf if none is set."""
        if not self._set:
            self._heap.clear()
            return math.inf
        if self._new:
            self._push_new()
        while not self._is_set(self._heap[0]):
            heapq.heappop(self._heap)
        return self._heap[0][0]

    def pop(self, now: float) -> tuple[str, Alarm] | None:
        """Take the first alarm that is due by ``now``."""
        if self.next() > now:
            return None
        id = heapq.heappop(self._heap)[2]
        return id, self._set.pop(id)[1]

    def copy(self) -> Alarms:
        """Independent alarms, set the same."""
        twin = copy.copy(self)
        twin._set, twin._heap, twin._new = dict(self._set), list(self._heap), dict(self._new)
        return twin

    def _push_new(self) -> None:
        for id, due in self._new.items():
            heapq.heappush(self._heap, (due, self._set[id][0], id))
        self._new.clear()
        # What was cleared stays in the heap until it is due: sweep before that adds up.
        if len(self._heap) > 2 * len(self._set) + _SLACK:
            self._heap = [entry for entry in self._heap if self._is_set(entry)]
            heapq.heapify(self._heap)

    def _is_set(self, entry: tuple[float, int, str]) -> bool:
        current = self._set.get(entry[2])
        return current is not None and current[0] == entry[1]
