"""What calls, casts and directives raise about the agent they are about."""

from __future__ import annotations

from trido.agents.directive import PARENT
from trido.agents.errors import AgentError
from trido.agents.secrets import redacted


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
    """There is no such agent, or it has ended."""

    said = "has ended, or never was"

    def __init__(
        self, id: str, *, parent_of: str | None = None, directive: str | None = None
    ) -> None:
        super().__init__(id)
        self._parent_of = parent_of
        self._directive = directive

    def __str__(self) -> str:
        if self._directive is not None:
            return (
                f"agent {self.id!r} does not run: it sleeps, has ended, or never was; "
                f"rt.resolve({self._directive!r}, 'retry') wakes it to carry this out"
            )
        if self._parent_of is None:
            return super().__str__()
        return (
            f"agent {self._parent_of!r} has no parent to emit to: it was not spawned or adopted by "
            f"another one (SpawnAgent, AdoptChild), or that has ended; say to= a ref or an id"
        )


def nobody(id: str, sender: str) -> NoSuchAgent:
    """Why what ``sender`` emits to ``id`` arrives nowhere."""
    return NoSuchAgent(id, parent_of=sender if id == PARENT else None)


class IntakeClosed(_About):
    """The runtime takes no more signals from outside: see `Runtime.close_intake`."""

    said = "is sent nothing more from outside: its runtime has closed the intake"


class AnswerNotKept(_About):
    """The agent has served this very signal before, and its answer was not kept.

    Nothing was done again. The signal was cast then, not called, or its answer was deferred.
    """

    said = "has served this signal before, and its answer was not kept"


class TurnExpired(AgentError):
    """An effectful turn took longer than its ``turn_limit``: nothing of it was committed.

    Attributes:
      id: the agent's id.
      type: the type of the signal.
      limit: the limit, in seconds.
    """

    def __init__(self, id: str, type: str, limit: float) -> None:
        super().__init__(id, type, limit)
        self.id = id
        self.type = type
        self.limit = limit

    def __str__(self) -> str:
        return f"agent {self.id!r} did not get done with {self.type!r} in {self.limit:g} s"


class LinkedExit(AgentError):
    """The run of a linked agent ended abnormally.

    Attributes:
      id: the id of that agent.
      reason: how it ended.
    """

    def __init__(self, id: str, reason: str) -> None:
        super().__init__(id, reason)
        self.id = id
        self.reason = reason

    def __str__(self) -> str:
        return f"linked agent {self.id!r} ended: {self.reason}"


class DirectiveFailed(AgentError):
    """A committed directive could not be carried out; ``__cause__`` says why.

    Attributes:
      id: the id of the agent that committed it.
      directive: the directive.
    """

    def __init__(self, id: str, directive: object) -> None:
        super().__init__(id, directive)
        self.id = id
        self.directive = directive

    def __str__(self) -> str:
        cause = "" if self.__cause__ is None else f": {self.__cause__}"
        return f"agent {self.id!r}: a {type(self.directive).__name__} failed{cause}"

    _redacts_itself = True

    def __repr__(self) -> str:
        return f"DirectiveFailed({self.id!r}, {redacted(self.directive)})"


class NoSuchChild(AgentError):
    """The agent has no child of this tag.

    Attributes:
      id: the agent's id.
      tag: the tag.
    """

    def __init__(self, id: str, tag: str) -> None:
        super().__init__(id, tag)
        self.id = id
        self.tag = tag

    def __str__(self) -> str:
        return f"agent {self.id!r} has no child {self.tag!r}"


class AlreadyRegistered(AgentError):
    """The runtime has an agent of this id, or the parent a child of this tag.

    Attributes:
      id: the id, or the tag.
    """

    def __init__(self, id: str, *, child_of: str | None = None) -> None:
        super().__init__(id)
        self.id = id
        self._child_of = child_of

    def __str__(self) -> str:
        if self._child_of is None:
            return f"there is an agent {self.id!r} already; stop it first, or choose another id"
        return (
            f"agent {self._child_of!r} has a child {self.id!r} already, and a tag names one: "
            f"stop that first (StopChild), or choose another tag"
        )


class OutcomeUnknown(_About):
    """A directive was begun and interrupted, and may not be tried again: it may have been done."""

    said = "was interrupted while it carried out a directive, whose outcome is not known"


class GivenUp(_About):
    """A committed directive was given up: by an earlier process, after too many tries, or half-way.

    Attributes:
      why: what was said then.
    """

    said = "had a directive that was given up"

    def __init__(self, id: str, why: str) -> None:
        AgentError.__init__(self, id, why)
        self.id = id
        self.why = why

    def __str__(self) -> str:
        return f"{super().__str__()}: {self.why}" if self.why else super().__str__()
