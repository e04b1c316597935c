"""A place as its users see it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Generic, TypeVar, cast, final

import trio
from attrs import frozen

from trido.supervision import errors
from trido.supervision.policy import Kind
from trido.supervision.records import Record
from trido.supervision.tables import State
from trido.values import ByFields

if TYPE_CHECKING:
    from trido.supervision.place import Place, Run
    from trido.supervision.supervisor import SupervisorBase

T_co = TypeVar("T_co", covariant=True)


@frozen(kw_only=True, eq=False, repr=False)
class ChildInfo(ByFields):
    """What `Supervisor.children` says of a child, as of that moment."""

    id: str
    """Its id in its supervisor."""
    state: State
    """Where it is in its life: running, restarting, parked …"""
    incarnation: int
    """The number of its latest run; 0 if it never had one."""
    restarts: int
    """How many automatic restarts of it became ready."""
    kind: Kind
    """``"worker"`` or ``"supervisor"``."""


@final
class Child(Generic[T_co]):
    """A child of a supervisor: one object for the place, through all its runs.

    Made by supervisors only: ``sup[id]``, `Supervisor.start_child`, `current_child`.
    """

    __slots__ = ("announced", "place", "record", "run", "supervisor", "waiters")

    def __init__(self, supervisor: SupervisorBase, place: Place, record: Record) -> None:
        self.supervisor: SupervisorBase = supervisor
        """The supervisor it is, or was, a child of."""
        self.place: Place = place
        self.record: Record = record
        self.run: Run | None = None
        self.announced: int = 0
        """The latest run that has said it is ready; its supervisor may not have heard yet."""
        self.waiters: trio.Event | None = None
        """Set at the next change, if anybody waits for one."""

    def __repr__(self) -> str:
        return f"<trido.Child {self.id!r} {self.state}, run {self.incarnation}>"

    @property
    def id(self) -> str:
        """Its id in its supervisor."""
        return self.record.id

    @property
    def state(self) -> State:
        """Where it is in its life."""
        return self.record.state

    @property
    def incarnation(self) -> int:
        """The number of its latest run; 0 if it never had one."""
        return self.record.incarnation

    @property
    def value(self) -> T_co:
        """What its latest run gave to ``started()``; None while that run is not ready.

        For a supervisor, its `Supervisor`.
        """
        return cast("T_co", self.record.value)

    @property
    def restarts(self) -> int:
        """How many automatic restarts of it became ready."""
        return self.record.restarts

    @property
    def last_crash(self) -> BaseException | None:
        """The exception of its latest crash or failed start, if any."""
        return self.record.last_crash

    @property
    def in_transit(self) -> bool:
        """Whether its supervisor is just starting or stopping it."""
        record = self.record
        return record.live and (record.asked or self.announced != record.incarnation)

    def info(self) -> ChildInfo:
        """All of that, as of now."""
        record = self.record
        return ChildInfo(
            id=record.id,
            state=record.state,
            incarnation=record.incarnation,
            restarts=record.restarts,
            kind=record.policy.kind,
        )

    def beat(self) -> None:
        """Say that the child is alive, for its ``heartbeat``; nothing happens without one."""
        if self.run is not None:
            self.run.beat()

    async def wait_running(self, after: int = 0) -> None:
        """Wait until it is running in an incarnation later than ``after``.

        Checkpoints: always.

        Raises:
          ChildNotFound: the place is gone from its supervisor.
          SupervisorStopped: its supervisor has ended.
          DeadlockError: the caller descends from a child that its supervisor is starting or
            stopping, so nothing can be restarted before the caller is done.
        """
        await trio.lowlevel.checkpoint()
        if not self._runs_since(after):
            self.supervisor.refuse_deadlock("wait for a child")
        while not self._runs_since(after):
            if self.state == "removed":
                raise errors.ChildNotFound(self.id)
            if self.supervisor.has_ended:
                raise errors.SupervisorStopped(self.supervisor.id)
            await self._changed()

    def _runs_since(self, after: int) -> bool:
        return self.state == "running" and self.incarnation > after

    async def wait_ended(self) -> None:
        """Wait until the run that is current now has ended; at once if there is none.

        Checkpoints: always.

        Raises:
          DeadlockError: the caller descends from a child that its supervisor is starting or
            stopping.
        """
        run = self.incarnation
        await trio.lowlevel.checkpoint()
        if self._lives(run):
            self.supervisor.refuse_deadlock("wait for a child")
        while self._lives(run):
            await self._changed()

    def _lives(self, run: int) -> bool:
        return self.record.live and self.incarnation == run and not self.supervisor.has_ended

    async def _changed(self) -> None:
        if self.waiters is None:
            self.waiters = trio.Event()
        await self.waiters.wait()

    def wake_waiters(self) -> None:
        """Have those who wait for a change of this child look again."""
        if self.waiters is not None:
            self.waiters.set()
            self.waiters = None
