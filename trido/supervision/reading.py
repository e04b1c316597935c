"""What can be seen of a supervisor."""

from __future__ import annotations

from typing import Any, TypeVar, overload

from trido.supervision import draw, errors
from trido.supervision.child import Child, ChildInfo
from trido.supervision.records import Record
from trido.supervision.shell import child_of
from trido.supervision.spec import Spec
from trido.supervision.statistics import Counts, SupervisorStatistics
from trido.supervision.tables import ACTIVE, State
from trido.supervision.working import Working

T = TypeVar("T")


class Reading(Working):
    """A supervisor, as those who look at it see it."""

    @overload
    def __getitem__(self, key: Spec[T]) -> Child[T]: ...
    @overload
    def __getitem__(self, key: Child[T]) -> Child[T]: ...
    @overload
    def __getitem__(self, key: str) -> Child[Any]: ...
    def __getitem__(self, key: Spec[T] | Child[T] | str) -> Child[T]:
        """The live `Child` of this id, or of this spec.

        Raises:
          ChildNotFound: there is none.
        """
        id = self._id_of(key)
        record = self._machine.records.get(id)
        if record is None:
            raise errors.ChildNotFound(id)
        return child_of(record)

    def __contains__(self, key: str | Child[Any] | Spec[Any]) -> bool:
        """Whether there is such a place: of this id, of this spec's, or this very child."""
        try:
            return self._id_of(key) in self._machine.records
        except errors.ChildNotFound:
            return False

    def _id_of(self, child: str | Child[Any] | Spec[Any]) -> str:
        if isinstance(child, str):
            return child
        if isinstance(child, Child):
            record = self._machine.records.get(child.id)
            if record is None or record.tag is not child:
                raise errors.ChildNotFound(child.id)
            return child.id
        if isinstance(child, Spec):
            return child.child_id
        raise TypeError(f"a child is named by its id, its spec or its Child, not by {child!r}")

    def children(self) -> tuple[ChildInfo, ...]:
        """A snapshot of every place, in start order."""
        return tuple(child_of(record).info() for record in self._machine.records.values())

    def counts(self) -> Counts:
        """How many places there are, of which kind, and how many have a run."""
        records = self._machine.records.values()
        supervisors = sum(record.policy.kind == "supervisor" for record in records)
        return Counts(
            specs=len(records),
            active=sum(record.state in ACTIVE for record in records),
            supervisors=supervisors,
            workers=len(records) - supervisors,
        )

    def statistics(self) -> SupervisorStatistics:
        """What is going on in here, for debugging and monitoring."""
        states: dict[State, int] = {}
        for record in self._machine.records.values():
            states[record.state] = states.get(record.state, 0) + 1
        return SupervisorStatistics(
            states=states,
            restarts_in_window=len(self._machine.window),
            queued=self._machine.queued + len(self._inbox),
            callers=len(self._callers),
        )

    def tree(self) -> str:
        """The tree from here on down as text: every child with its state and its runs."""
        return draw.tree(self._drawing())

    def _drawing(self) -> draw.Node:
        mode = "dynamic" if self._settings.dynamic else self._settings.strategy
        node = draw.Node(f"{self.id} [{mode}]")
        for record in self._machine.records.values():
            node.children.append(_draw_child(record))
        return node


def _draw_child(record: Record) -> draw.Node:
    run = child_of(record).run
    below = None if run is None else run.below()
    node = draw.Node(record.id)
    if isinstance(record.value, Reading):
        node = record.value._drawing()
    elif below is not None:
        node.children = below._drawing().children
    plural = "" if record.restarts == 1 else "s"
    restarts = f", {record.restarts} restart{plural}" if record.restarts else ""
    node.text += f" {record.state} (run {record.incarnation}{restarts})"
    return node
