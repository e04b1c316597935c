"""What a journal raises: each says which file, why, and what can be done."""

from __future__ import annotations

import copy
from typing import TypeVar

from trido.errors import TridoError

E = TypeVar("E", bound=Exception)


class JournalError(TridoError):
    """The base of every error of a journal. Nothing that was durable is lost or overwritten.

    Attributes:
      file: which journal; the path of its file, if it has one.
      reason: what is wrong.
      remedy: what can be done about it.
    """

    def __init__(self, file: str, reason: str, remedy: str) -> None:
        super().__init__(file, reason, remedy)
        self.file = file
        self.reason = reason
        self.remedy = remedy

    def __str__(self) -> str:
        return f"{self.file}: {self.reason}; {self.remedy}"


class Fenced(JournalError):
    """The write was built on what is no longer so, and did not happen.

    The agent was claimed by another run since, or has another revision than the write expected.

    Attributes:
      epoch: the agent's epoch now. If it is still the writer's, nobody else claimed the agent: an
        earlier turn of the same run did not happen.
      revision: the agent's revision now.
    """

    epoch: int = 0
    revision: int = 0


class Unavailable(JournalError):
    """The journal could not do it: whether it happened is not known, and trying again is safe.

    A write is tried again after another claim of the agent, which tells what happened; or, if it
    consumes an input, as it is: an input is consumed once.
    """


class Locked(JournalError):
    """Somebody else has the journal open."""


class Corrupt(JournalError):
    """What is stored contradicts itself, or is no journal. It is left as it is."""


class TooNew(JournalError):
    """The journal was written by a newer trido, in a format that this one does not know."""


class NotKept(JournalError):
    """It has no such agent, or does not keep that turn, or does not keep it any more."""


def again(error: E, cause: BaseException | None = None) -> E:
    """The same error for one more reader: an exception object belongs to one."""
    one = copy.copy(error)
    one.__cause__ = cause or error.__cause__
    return one
