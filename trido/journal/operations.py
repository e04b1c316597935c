"""What can be asked of a journal, as data: writes, each all or nothing, and queries."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, Generic, Literal, TypeAlias, TypeVar, cast, final

from attrs import field, frozen

from trido.errors import SpecError
from trido.journal import checks
from trido.journal.checks import LARGEST, WHOLE
from trido.journal.rows import (
    AgentKey,
    Directed,
    Entry,
    Keep,
    Kept,
    Past,
    Recovery,
    Status,
    Stored,
    Timer,
    Wake,
)
from trido.values import ByFields

A_co = TypeVar("A_co", covariant=True)

Resolution: TypeAlias = Literal["done", "retry", "dead"]


class Write(ByFields, Generic[A_co]):
    """Something to be written; what comes of it is an ``A``."""

    __slots__ = ()

    @property
    def gives_work(self) -> bool:
        """Whether it may leave an agent with something to do."""
        return True


class Query(ByFields, Generic[A_co]):
    """Something to be read; it gives an ``A``."""

    __slots__ = ()


# Writes -----------------------------------------------------------------------------------------


@final
@frozen(eq=False, repr=False)
class Claim(Write[Recovery]):
    """Make the agent this run's own, and read all it begins with.

    The agent's epoch is raised: what earlier runs still write is ``Fenced``. A directive that such
    a run started, without an outcome, is *unknown* from now on. An agent that is not known yet is
    taken up, at revision 0.

    Refused with ``JournalError`` if the agent is of another definition, and with ``Corrupt`` if
    what is stored of it is damaged; then nothing changes.
    """

    agent: AgentKey
    name: str
    """Of its definition."""
    keep: Keep = field(default=Keep(), kw_only=True)
    known: int = field(default=256, kw_only=True)
    """The inputs of how many turns are told in ``Recovery.known``: no more than of the history."""

    def __attrs_post_init__(self) -> None:
        checks.text("Claim", "name", self.name)
        checks.number("Claim", "known", self.known)


PlainTurn: TypeAlias = tuple[str, str, int, int, int, bytes, dict[str, bytes], bool]
"""A `Commit` that only changes the state: its agent's id and partition, and the next six fields.

Whoever writes for another process gets them: a `Commit` was checked there, and making it again
takes as long as storing it.
"""


class _Draft:
    """A `Commit` that is being made: laid out as one, but its fields can be set.

    There is one for each turn, and what is frozen takes ten times as long to set its fields.
    """

    __slots__ = (
        "__weakref__",
        "agent",
        "at",
        "cancelled",
        "consumes",
        "directives",
        "epoch",
        "full",
        "input",
        "reply",
        "revision",
        "state",
        "timers",
    )


@final
@frozen(kw_only=True, eq=False, repr=False)
class Commit(_Draft, Write[Kept | None]):
    """A turn: one conditional write.

    If ``epoch`` is still the agent's, its revision is one less than ``revision``, and ``consumes``
    was not consumed yet, then: the input is consumed, with its reply; the state is changed; the
    directives are pending; timers are cancelled and set; the agent has this revision. None comes
    of it. If the input was consumed before, whatever the epoch, nothing happens, and what comes of
    it is what was ``Kept``. Otherwise it is ``Fenced``.

    Raises:
      SpecError: a field is not what it may be.
    """

    agent: AgentKey
    epoch: int
    revision: int
    at: int
    """When the turn was, by its own clock."""
    input: bytes
    """What was decided upon, so that it can be decided again."""
    state: Mapping[str, bytes]
    """The fields that are to change."""
    full: bool = False
    """Whether these are all fields. They must be at least every ``FULL_EVERY`` turns."""
    consumes: str | None = None
    """A key that names the input among all inputs of this agent; None: it is never sent again."""
    reply: bytes | None = None
    """What is kept with the consumed input."""
    directives: tuple[Directed, ...] = ()
    cancelled: tuple[str, ...] = ()
    """The keys of timers that are no more."""
    timers: tuple[Timer, ...] = ()
    """Those to be set; each replaces the one of its key."""

    def __attrs_post_init__(self) -> None:
        # There is one for each turn, and a glance nearly always shows that all is as it should be.
        if not _is_plainly_right(self):
            self._check()

    @classmethod
    def plain(
        cls,
        agent: AgentKey,
        epoch: int,
        revision: int,
        *,
        at: int,
        input: bytes,
        state: dict[str, bytes],
        full: bool,
        consumes: str | None = None,
        reply: bytes | None = None,
    ) -> Commit:
        """As ``Commit(...)``, of a turn without directives and timers.

        Of all this only what is too large is looked for: it is for those who know the rest right.

        Raises:
          SpecError: as `Commit`.
        """
        draft: Any = _Draft()
        draft.agent = agent
        draft.epoch = epoch
        draft.revision = revision
        draft.at = at
        draft.input = input
        draft.state = state
        draft.full = full
        draft.consumes = consumes
        draft.reply = reply
        draft.directives = draft.cancelled = draft.timers = ()
        draft.__class__ = cls
        size = len(input) + sum(map(len, state.values()))
        if at < 0 or size > LARGEST or (reply is not None and len(reply) > LARGEST):
            draft._check()
        return cast("Commit", draft)

    def as_plain_turn(self) -> PlainTurn:
        """The fields that a `PlainTurn` has, whatever else there is."""
        agent, state = self.agent, self.state
        return (
            agent.id,
            agent.partition,
            self.epoch,
            self.revision,
            self.at,
            self.input,
            state if type(state) is dict else dict(state),
            self.full,
        )

    @property
    def gives_work(self) -> bool:
        """As directives and timers do."""
        return bool(self.directives or self.timers)

    def _check(self) -> None:
        checks.number(COMMIT, "epoch", self.epoch, least=1)
        checks.number(COMMIT, "revision", self.revision, least=1)
        checks.number(COMMIT, "at", self.at)
        checks.data(COMMIT, "input", self.input)
        checks.state(COMMIT, self.state)
        if self.consumes is not None:
            checks.text(COMMIT, "consumes", self.consumes)
        if self.reply is not None:
            checks.data(COMMIT, "reply", self.reply)
        checks.all_of(COMMIT, "directives", self.directives, Directed)
        checks.all_of(COMMIT, "timers", self.timers, Timer)
        checks.all_of(COMMIT, "cancelled", self.cancelled, str)


COMMIT: Final = "Commit"


def _is_plainly_right(commit: Any) -> bool:
    """Whether a glance shows that nothing is wrong; of what is rare it says no."""
    epoch, revision, at = commit.epoch, commit.revision, commit.at
    key, state, directives = commit.consumes, commit.state, commit.directives
    if not (
        type(epoch) is type(revision) is type(at) is int
        and 0 < epoch <= WHOLE
        and 0 < revision <= WHOLE
        and 0 <= at <= WHOLE
        and (key is None or (type(key) is str and key.isascii() and key))
        and type(state) is dict
        and type(directives) is tuple
        and commit.cancelled == commit.timers == ()
    ):
        return False
    for name in state:
        if not (type(name) is str and name.isascii() and name):
            return False
    for one in directives:
        if type(one) is not Directed:
            return False
    reply, whole = b"" if commit.reply is None else commit.reply, 0
    for data in (commit.input, reply, *state.values()):
        if type(data) is not bytes:
            return False
        whole += len(data)
    return whole <= LARGEST


@final
@frozen(eq=False, repr=False)
class Mark(Write[None]):
    """What became of a directive.

    ``pending`` and ``started`` count one attempt more, before it is made. Marking a directive that
    is over, or was never there, changes nothing: a mark can be sent again.

    Refused with ``Fenced`` if ``epoch`` is no longer the agent's.

    Raises:
      SpecError: a field is not what it may be.
    """

    agent: AgentKey
    epoch: int
    revision: int
    index: int
    status: Status
    note: str = ""

    def __attrs_post_init__(self) -> None:
        if self.status not in MARKS:
            raise SpecError("status", self.status, f"one of {', '.join(MARKS)}", of="Mark")
        checks.number("Mark", "epoch", self.epoch)
        checks.number("Mark", "revision", self.revision)
        checks.number("Mark", "index", self.index)
        checks.text("Mark", "note", self.note, least=0)


MARKS: Final = ("pending", "started", "done", "failed", "dead", "unknown")


@final
@frozen(eq=False, repr=False)
class Resolve(Write[None]):
    """Settle a directive that is unknown or dead: an operator's decision, so no epoch is asked for.

    ``retry`` makes it pending again, with no attempts counted.

    Refused with ``JournalError`` if no such directive is unknown or dead; then nothing changes.

    Raises:
      SpecError: a field is not what it may be.
    """

    agent: AgentKey
    revision: int
    index: int
    to: Resolution

    def __attrs_post_init__(self) -> None:
        if self.to not in RESOLUTIONS:
            raise SpecError("to", self.to, f"one of {', '.join(RESOLUTIONS)}", of="Resolve")
        checks.number("Resolve", "revision", self.revision)
        checks.number("Resolve", "index", self.index)


RESOLUTIONS: Final[dict[str, Status]] = {"done": "done", "retry": "pending", "dead": "dead"}


# Queries ----------------------------------------------------------------------------------------


@final
@frozen(eq=False, repr=False)
class Find(Query[Kept | None]):
    """What is kept of the input that this key names; None if it was not consumed."""

    agent: AgentKey
    consumes: str


@final
@frozen(eq=False, repr=False)
class History(Query[tuple[Past, ...]]):
    """The committed turns of an agent, the oldest first, as far back as they are kept.

    ``since`` leaves out those up to that revision, and ``until`` those after that one; ``limit``
    keeps the newest so many.
    """

    agent: AgentKey
    since: int = 0
    limit: int = 1_000
    until: int = field(default=WHOLE, kw_only=True)


@final
@frozen(eq=False, repr=False)
class StateAt(Query[Mapping[str, bytes] | None]):
    """All fields of an agent as they were at a revision; None if that is not kept."""

    agent: AgentKey
    revision: int


@final
@frozen(eq=False, repr=False)
class Waking(Query[tuple[Wake, ...]]):
    """The agents with directives to be carried out, or a timer that is due by ``until``.

    At most ``limit`` of them, those after ``after``, in the order of partition and id.
    """

    until: int
    after: AgentKey | None = None
    limit: int = 1_000


@final
@frozen(eq=False, repr=False)
class Letters(Query[tuple[Entry, ...]]):
    """The directives that are dead or unknown: of one agent, or of all."""

    agent: AgentKey | None = None
    limit: int = 1_000


@final
@frozen(eq=False, repr=False)
class Agents(Query[tuple[Stored, ...]]):
    """Which agents there are: one, or at most ``limit`` of those after ``after``.

    They come in the order of partition and id.
    """

    agent: AgentKey | None = None
    after: AgentKey | None = None
    limit: int = 1_000
