"""What writing for a journal, and reading from it, raises. It never shows what was found."""

from __future__ import annotations

from typing import Final

from trido.agents.errors import AgentError


class CodecError(AgentError):
    """Something of an agent cannot be written for a journal, or not be read from it.

    Attributes:
      what: of what it is a part: ``"state of Agent 'counter'"``.
      path: where in that, from its root ``$``.
      rule: what was expected there, and what can be done. It never shows what was found.
      file: the journal that it was read from, or was to be written to, where that is known.
    """

    file: str = ""

    def __init__(self, what: str, path: str, rule: str) -> None:
        super().__init__(what, path, rule)
        self.what = what
        self.path = path
        self.rule = rule

    def __str__(self) -> str:
        where = f"{self.file}: " if self.file else ""
        return f"{where}{self.what}: {self.path}: {self.rule}"


class Unencodable(CodecError):
    """Something cannot be written so that it could be read again. Nothing of it was committed."""


class Undecodable(CodecError):
    """What was written cannot be read by this program. It is left as it is."""


class NewerVersion(Undecodable):
    """What was written is of a newer version than this program knows. It is left as it is.

    Attributes:
      found: the version that it has.
      known: the newest version that this program knows.
    """

    found: int = 0
    known: int = 0


class Unregistered(CodecError):
    """Something has a name that the runtime was not given: it could not be, or is not, found by it.

    If it was to be written, nothing of it was committed; what was written is left as it is.

    Attributes:
      kind: ``"agent"``, ``"action"`` or ``"directive"``.
      name: what it is called.
    """

    kind: str = ""
    name: str = ""


def newer(what: str, found: int, known: int) -> NewerVersion:
    """The error for something of the version ``found``."""
    rule = f"it has version {found}, and this program knows {known} at most: run a newer one"
    error = NewerVersion(what, "$", rule)
    error.found, error.known = found, known
    return error


def unregistered(what: str, kind: str, name: str, said: str = "is not known") -> Unregistered:
    """The error for a thing of this kind."""
    rule = f"the {kind} {name!r} {said}: register it, {_REMEDIES[kind]}"
    error = Unregistered(what, "$", rule)
    error.kind, error.name = kind, name
    return error


_REMEDIES: Final = {
    "agent": "open_runtime(agents=(...))",
    "action": "open_runtime(actions=(...))",
    "directive": "open_runtime(executors={...: ...})",
}


class Misfit(Exception):
    """A value that does not fit where it is, with the way to it: each level adds its step."""

    def __init__(self, rule: str, path: str = "") -> None:
        super().__init__(rule)
        self.rule: str = rule
        self.path: str = path

    def under(self, step: str) -> Misfit:
        """The same, seen from one level above."""
        self.path = step + self.path
        return self
