"""What calls and casts raise about the agent they were sent to."""

from __future__ import annotations

from trido.agents.errors import AgentError


class _About(AgentError):
    said = ""

    def __init__(self, id: str) -> None:
        super().__init__(id)
        self.id = id

    def __str__(self) -> str:
        return f"agent {self.id!r} {self.said}"


class Overloaded(_About):
    """The agent had no room for the signal, or for what would have followed from it.

    Its mailbox was full and its ``overflow`` says not to wait; or the directives of its turn did
    not fit in with those that are still to be carried out, so the turn was not committed.
    """

    said = "has no room for the signal"


class AgentCrashed(_About):
    """The agent crashed while it served the signal; ``__cause__`` is the crash. Nothing changed."""

    said = "crashed while it served the signal"


class AgentStopped(_About):
    """The agent was stopped, or stopped by itself, before it served the signal."""

    said = "stopped before it served the signal"


class AgentParked(_About):
    """The agent crashed too often and is parked: it serves nothing until somebody revives it."""

    said = "is parked"


class NoSuchAgent(_About):
    """The agent has ended."""

    said = "has ended"
