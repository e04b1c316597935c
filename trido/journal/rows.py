"""What a journal keeps, as data. It knows of names, numbers, text and bytes only.

What a state, a signal or a directive is, and how it became bytes, is for whoever writes it.
Times are whole microseconds since 1970, UTC: what is kept compares exactly.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Final, Literal, TypeAlias, final

from attrs import field, frozen

from trido.journal import checks
from trido.values import ByFields

FULL_EVERY: Final = 64
"""At least every so many turns the whole state is written, so no recovery reads more rows."""

Status: TypeAlias = Literal["pending", "started", "done", "failed", "dead", "unknown"]
"""Where a committed directive stands.

``pending``: to be carried out. ``started``: an executor that must not be called twice is about to
be. ``done``, ``failed``: over. ``dead``: given up, kept to be looked at. ``unknown``: it was
started, and nothing more was heard of it; kept until somebody says what became of it.
"""


@final
@frozen(cache_hash=True)
class AgentKey:
    """Which agent: its id, in its partition.

    Raises:
      SpecError: one of them is not what it may be.
    """

    id: str
    partition: str = ""

    def __attrs_post_init__(self) -> None:
        checks.text("AgentKey", "id", self.id)
        checks.text("AgentKey", "partition", self.partition, least=0)

    @staticmethod
    @lru_cache(maxsize=10_000)
    def of(id: str, partition: str) -> AgentKey:
        """The same one for the same agent, if that was asked for not long ago."""
        return AgentKey(id, partition)

    def __str__(self) -> str:
        return f"{self.partition}/{self.id}" if self.partition else self.id


@final
@frozen(kw_only=True, eq=False, repr=False)
class Keep(ByFields):
    """How long what is no longer needed is kept.

    Raises:
      SpecError: one of them is not what it may be.
    """

    history: int = 1_000
    """How many turns of an agent can be read again, at least."""
    dedupe: int = 100_000
    """How many consumed inputs of an agent are known again …"""
    dedupe_for: int = 7 * 24 * 3600
    """… if they are no older than this, in seconds, counted back from the agent's newest turn."""

    def __attrs_post_init__(self) -> None:
        checks.number("Keep", "history", self.history)
        checks.number("Keep", "dedupe", self.dedupe)
        checks.number("Keep", "dedupe_for", self.dedupe_for)


@final
@frozen(eq=False, repr=False)
class Directed(ByFields):
    """A directive, as a turn commits it.

    Raises:
      SpecError: a field is not what it may be.
    """

    name: str
    """Of the code that knows what it is."""
    data: bytes
    attempts: int = field(default=0, kw_only=True)
    """How many attempts are counted already: 1 if the first follows the commit at once."""

    def __attrs_post_init__(self) -> None:
        checks.text("Directed", "name", self.name)
        checks.data("Directed", "data", self.data)
        checks.number("Directed", "attempts", self.attempts)


@final
@frozen(eq=False, repr=False)
class Timer(ByFields):
    """A timer, or an entry of a schedule.

    Raises:
      SpecError: a field is not what it may be.
    """

    key: str
    due: int
    """When it fires next."""
    data: bytes

    def __attrs_post_init__(self) -> None:
        checks.text("Timer", "key", self.key)
        checks.number("Timer", "due", self.due)
        checks.data("Timer", "data", self.data)


@final
@frozen(eq=False, repr=False)
class Entry(ByFields):
    """A committed directive. Its id is (agent, revision, index)."""

    agent: AgentKey
    revision: int
    """Of the turn that committed it."""
    index: int
    """Which of that turn's directives it is, from 0."""
    name: str
    data: bytes
    status: Status = "pending"
    attempts: int = 0
    note: str = ""
    """What was said when it came to its status."""


@final
@frozen(eq=False, repr=False)
class Kept(ByFields):
    """What is kept of an input that was consumed."""

    revision: int
    """Of the turn that consumed it."""
    reply: bytes | None


@final
@frozen(eq=False, repr=False)
class Past(ByFields):
    """A turn that was committed."""

    revision: int
    at: int
    input: bytes
    state: Mapping[str, bytes]
    """The fields that it changed; all of them if it is ``full``."""
    full: bool
    directives: tuple[Entry, ...]


@final
@frozen(eq=False, repr=False)
class Stored(ByFields):
    """An agent that a journal has."""

    agent: AgentKey
    name: str
    """Of its definition."""
    revision: int
    """Of its newest turn."""
    oldest: int
    """Of the oldest turn that can be asked for."""


@final
@frozen(eq=False, repr=False)
class Wake(ByFields):
    """An agent that has something to do."""

    agent: AgentKey
    name: str
    """Of its definition."""
    open: int
    """How many directives are to be carried out."""
    due: int | None
    """When its earliest timer fires."""


@final
@frozen(kw_only=True, eq=False, repr=False)
class Recovery(ByFields):
    """All that a run of an agent begins with."""

    agent: AgentKey
    name: str
    """Of its definition."""
    epoch: int
    """The run's own. Each of its writes states it."""
    revision: int
    """Of the newest committed turn; 0 if there was none yet."""
    state: Mapping[str, bytes]
    """All fields, as they were last written; none at revision 0."""
    directives: tuple[Entry, ...]
    """Those to be carried out, in the order in which they were committed."""
    unknown: tuple[Entry, ...]
    """Those that nobody has settled yet."""
    timers: tuple[Timer, ...]
    """The earliest first."""
    known: Mapping[str, Kept]
    """The inputs that the newest turns consumed, by their keys, the newest first. Older ones are
    known too: ask with ``Find``, or let the commit find out."""
