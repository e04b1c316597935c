"""What goes wrong with actions, besides what their functions raise."""

from __future__ import annotations

from trido.agents.errors import AgentError


class ActionTimeout(AgentError):
    """One attempt took longer than the action's ``timeout``, and was cancelled.

    Attributes:
      action: the name of the action.
      timeout: how many seconds it had.
      abandoned: whether it may still be at work: a thread cannot be stopped.
    """

    def __init__(self, action: str, timeout: float, abandoned: bool = False) -> None:  # noqa: FBT001, FBT002  # errors are pickled by position
        super().__init__(action, timeout, abandoned)
        self.action = action
        self.timeout = timeout
        self.abandoned = abandoned

    def __str__(self) -> str:
        rest = "; its thread was abandoned and may still be at work" if self.abandoned else ""
        return f"action {self.action!r} took longer than {self.timeout:g} s{rest}"


class InvalidResult(AgentError):
    """What an action returned is not what its function's annotation promises.

    Attributes:
      action: the name of the action.
      path: where in the result, from its root ``$``.
      rule: what was expected there, and what it got.
    """

    def __init__(self, action: str, path: str, rule: str) -> None:
        super().__init__(action, path, rule)
        self.action = action
        self.path = path
        self.rule = rule

    def __str__(self) -> str:
        return f"the result of action {self.action!r}: {self.path}: {self.rule}"


class BreakerOpen(AgentError):
    """The action was not tried: it has failed too often of late.

    Attributes:
      breaker: the name of the breaker.
      after: in how many seconds it may be tried again; 0 if that depends on an attempt that is
        being made just now.
    """

    def __init__(self, breaker: str, after: float) -> None:
        super().__init__(breaker, after)
        self.breaker = breaker
        self.after = after

    def __str__(self) -> str:
        again = f"try again in {self.after:g} s" if self.after else "an attempt is being made"
        return f"breaker {self.breaker!r} is open: {again}"


class StepFailed(AgentError):
    """A step of a sequence failed; ``__cause__`` says how. No later step has run.

    Attributes:
      sequence: the name of the sequence.
      step: the name of the action that failed.
      number: which step it was, from 1.
    """

    def __init__(self, sequence: str, step: str, number: int) -> None:
        super().__init__(sequence, step, number)
        self.sequence = sequence
        self.step = step
        self.number = number

    def __str__(self) -> str:
        return f"step {self.number} of {self.sequence!r} failed: {self.step!r}"


class CompensationFailed(AgentError):
    """What an action did could not be undone; ``__cause__`` says why.

    It comes in a group, after the error that made the compensation necessary.

    Attributes:
      action: the name of the action.
    """

    def __init__(self, action: str) -> None:
        super().__init__(action)
        self.action = action

    def __str__(self) -> str:
        return f"the compensation of action {self.action!r} failed"


class WorkerDied(AgentError):
    """The process that ran an action died of something: a signal, a crash of the interpreter.

    Attributes:
      action: the name of the action.
    """

    def __init__(self, action: str) -> None:
        super().__init__(action)
        self.action = action

    def __str__(self) -> str:
        return f"the process that ran action {self.action!r} died"
