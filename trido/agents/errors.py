"""What a decision raises, and what a handler raises to say no."""

from __future__ import annotations

from trido.errors import TridoError


class AgentError(TridoError):
    """The base of every error that is about an agent."""


class NoRoute(AgentError):
    """The agent has no route for signals of this type. Its state is untouched, and it lives.

    Attributes:
      agent: the name of the agent's definition.
      type: the type of the signal.
    """

    def __init__(self, agent: str, type: str) -> None:
        super().__init__(agent, type)
        self.agent = agent
        self.type = type

    def __str__(self) -> str:
        return f"agent {self.agent!r} has no route for {self.type!r}"


class InvalidData(AgentError):
    """The data of a signal is not what its route takes. No handler saw it, and the agent lives.

    A durable agent refuses so, too, what its journal cannot keep, such as an int of thousands of
    digits: that is found when the turn is to be committed, so a handler did see it.

    Attributes:
      path: where in the data, from its root ``$``.
      rule: what was expected there, and what it got.
    """

    def __init__(self, path: str, rule: str) -> None:
        super().__init__(path, rule)
        self.path = path
        self.rule = rule

    def __str__(self) -> str:
        return f"{self.path}: {self.rule}"


class EffectfulRoute(AgentError):
    """The handler is async: it does more than decide, so ``cmd`` cannot say what it would do.

    Attributes:
      agent: the name of the agent's definition.
      type: the type of the signal.
    """

    def __init__(self, agent: str, type: str) -> None:
        super().__init__(agent, type)
        self.agent = agent
        self.type = type

    def __str__(self) -> str:
        return (
            f"agent {self.agent!r} handles {self.type!r} by an async function, which cmd() cannot"
            " run: send the signal to a running agent"
        )


class InvalidSignal(AgentError):
    """What was read is no CloudEvent, or a signal cannot be written as one. Nothing came of it.

    Attributes:
      path: where in the event, from its root ``$``.
      rule: what was expected there. It never shows what was found.
    """

    def __init__(self, path: str, rule: str) -> None:
        super().__init__(path, rule)
        self.path = path
        self.rule = rule

    def __str__(self) -> str:
        return f"{self.path}: {self.rule}"


class InvalidDecision(AgentError):
    """A handler returned what is no decision of its agent: nothing of it was committed.

    It is a mistake in the handler, so the agent crashes.
    """


class Reject(AgentError):
    """Raised by a handler: an expected "no". The caller gets it, the state stays, the agent lives.

    Attributes:
      reason: whatever tells the caller why.
    """

    def __init__(self, reason: object = None) -> None:
        super().__init__(reason)
        self.reason = reason
