"""Envelopes: a signal on its way to an agent, and whom to tell what becomes of it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import TYPE_CHECKING, Any, ClassVar, Final, final

import trio
from outcome import Error, Outcome, Value
from trio.lowlevel import Task

from trido.agents import Signal
from trido.agents.errors import AgentError
from trido.agents.turn import Why

if TYPE_CHECKING:
    from trido.runtime.effectful import EffectfulTurn


class Envelope:
    """A signal on its way to an agent: sent by somebody who does not wait for an answer."""

    __slots__ = ("deaths", "signal")

    why: ClassVar[Why] = "cast"
    planned: datetime | None = None
    """When the timer that sent it was to fire, if one did."""
    is_instant: bool = False
    """The agent itself sent it, without a delay."""
    is_patient: bool = False
    """It waits for room, whatever the agent does with others that find none."""
    heeds_begin: ClassVar[bool] = False
    """Whether `begun` does anything: most have nothing to do then, and turns are many."""
    heeds_answer: ClassVar[bool] = False
    """Whether `answer` does anything."""

    def __init_subclass__(cls) -> None:
        cls.heeds_begin = cls.begun is not Envelope.begun
        cls.heeds_answer = cls.answer is not Envelope.answer

    def __init__(self, signal: Signal) -> None:
        self.signal: Signal = signal
        self.deaths: int = 0
        """How many runs have died on it."""

    def accepted(self) -> None:
        """It waited for room, and is in the mailbox now."""

    def begun(self) -> None:
        """Its turn begins."""

    def answer(self, value: object) -> None:
        """It was served."""

    def fail(self, error: AgentError) -> bool:
        """It will not be served; whether somebody was told. If not, it is a dead letter."""
        return False


class Cast(Envelope):
    """A signal whose sender at most waits for room."""

    __slots__ = ("waiting",)

    def __init__(self, signal: Signal) -> None:
        # As in `Envelope`: there is one of these for each cast.
        self.signal: Signal = signal
        self.deaths: int = 0
        self.waiting: Task | None = None

    def accepted(self) -> None:
        """Its sender may go on."""
        task, self.waiting = self.waiting, None
        if task is not None:
            trio.lowlevel.reschedule(task)

    def fail(self, error: AgentError) -> bool:
        """Its sender may go on, and is not told."""
        self.accepted()
        return False


@final
class Call(Envelope):
    """A signal whose sender waits for the answer."""

    __slots__ = ("outcome", "request", "task", "turn")

    why: ClassVar[Why] = "call"

    def __init__(self, signal: Signal) -> None:
        # As in `Envelope`: there is one of these for each call.
        self.signal: Signal = signal
        self.deaths: int = 0
        self.request: str | None = None
        self.task: Task | None = None
        """Who waits, once it does."""
        self.outcome: Outcome[object] | None = None
        """The answer, if it came before anybody waited."""
        self.turn: EffectfulTurn[Any] | None = None
        """What serves it right now, and can be interrupted."""

    @property
    def is_settled(self) -> bool:
        """Whether it has its answer, or nobody waits for one."""
        return self.outcome is not None

    def answer(self, value: object) -> None:
        """Give the caller its answer."""
        # As `_settle`: there is one of these for each call.
        if self.outcome is None:
            self.outcome = outcome = Value(value)
            if self.task is not None:
                trio.lowlevel.reschedule(self.task, outcome)

    def fail(self, error: AgentError) -> bool:
        """Raise ``error`` in the caller."""
        self._settle(Error(error))
        return True

    def lose(self, error: Exception) -> None:
        """Raise ``error`` in the caller: what became of it is not known."""
        self._settle(Error(error))

    def end(self, outcome: Outcome[object]) -> None:
        """Its caller was cancelled, and waited for what came of it: that is over."""
        self._settle(outcome)

    def drop(self) -> None:
        """Its caller waits no more."""
        self.outcome = _DROPPED

    def _settle(self, outcome: Outcome[object]) -> None:
        if self.outcome is not None:
            return
        self.outcome = outcome
        if self.task is not None:
            trio.lowlevel.reschedule(self.task, outcome)


_DROPPED: Final = Value[object](None)


@final
class Own(Envelope):
    """The start or the stop of the agent itself. Nobody sent it: it is never a dead letter."""

    __slots__ = ()

    def fail(self, error: AgentError) -> bool:
        """Nobody waits for it."""
        return True


@final
class Told(Envelope):
    """Something that the runtime tells an agent of, by a signal."""

    __slots__ = ()

    why: ClassVar[Why] = "told"


@final
class Published(Envelope):
    """A signal that the bus brings."""

    __slots__ = ("_told",)

    why: ClassVar[Why] = "emit"

    def __init__(self, signal: Signal, told: Callable[[], None] | None = None) -> None:
        super().__init__(signal)
        self._told = told

    def accepted(self) -> None:
        """Its publisher need not wait any more."""
        told, self._told = self._told, None
        if told is not None:
            told()

    def fail(self, error: AgentError) -> bool:
        """Its publisher need not wait any more, and is not told."""
        self.accepted()
        return False
