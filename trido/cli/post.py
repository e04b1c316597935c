"""Brings every letter to its agent, and books what becomes of it."""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Mapping
from typing import Any, Final

import trio
from attrs import define, field
from trio.lowlevel import enable_ki_protection

from trido.agents import AgentError, InvalidData, NoRoute, Reject, Signal
from trido.cli.casts import Casts
from trido.cli.figures import Figures
from trido.cli.ledger import Ledger
from trido.cli.lines import Letter, Refusal, read
from trido.cli.source import Source
from trido.runtime import AgentCrashed, AgentRef
from trido.supervision import ChildSpec, Supervisor

RATE: Final = 80.0
"""Lines a second, at speed 1."""

_BUFFERED: Final = 100
"""How many letters may wait for the call that is being made."""
_LOOK: Final = 0.02
"""Seconds between two looks at what is left, at the end."""
_STALLED: Final = 5.0
"""Seconds after which what is left will not be served any more."""

Say = Callable[[str, str], None]
"""Called with a kind of message, and the message."""


@define(kw_only=True, eq=False)
class Post:
    """Sends letters to agents: casts to one of them, calls to the other, one call at a time.

    No cancellation and no Ctrl-C comes between what happens to a letter and its being booked: what
    touches the ledger is protected, and says itself where it can be interrupted.
    """

    source: Source
    ledger: Ledger
    figures: Figures
    say: Say
    speed: float
    seed: int
    crashed_on: int | None = field(default=None, init=False)
    """The latest cast that the agent crashed on, for whoever tells of the crash."""
    _casts: Casts = field(init=False)
    _caster: AgentRef[Any] | None = field(default=None, init=False)
    _dead: int = field(default=0, init=False)
    _returned: list[int] = field(factory=list, init=False)
    """Letters that could not be brought to anybody."""
    _calls: trio.MemorySendChannel[Letter] = field(init=False)
    _at_till: trio.MemoryReceiveChannel[Letter] = field(init=False)

    def __attrs_post_init__(self) -> None:
        self._casts = Casts(self.ledger)
        self._calls, self._at_till = trio.open_memory_channel[Letter](_BUFFERED)

    async def work(self, operator: Supervisor, kinds: Mapping[str, AgentRef[Any]]) -> None:
        """Bring every line to these agents, and wait until each is accounted for."""
        (cast,) = (kind for kind, ref in kinds.items() if ref.id == self.figures.watched)
        for kind, ref in kinds.items():
            if kind != cast:
                spec = ChildSpec(self.till, ref, id="till", restart="transient")
                await operator.start_child(spec)
        await self.feed(kinds, cast=cast)
        await self.drained()

    # Casts, and everything that is to be read first -------------------------------------------

    @enable_ki_protection
    async def feed(self, kinds: Mapping[str, AgentRef[Any]], *, cast: str) -> None:
        """Read every line and send it where it belongs; letters of kind ``cast`` as casts."""
        self._caster = kinds[cast]
        chance, due = random.Random(self.seed), trio.current_time()
        with self._calls:
            while (line := await self.source.next()) is not None:
                self.ledger.open(line[0])
                letter = read(*line, frozenset(kinds))
                if isinstance(letter, Refusal):
                    self._refused(letter.line, letter.why, letter.text)
                else:
                    await self._deliver(letter, cast)
                self.look()
                if self.speed < math.inf:
                    due += chance.expovariate(RATE * self.speed)
                await trio.sleep_until(due)

    async def _deliver(self, letter: Letter, cast: str) -> None:
        try:
            if letter.kind == cast:
                await self._cast(letter)
            else:
                await self._calls.send(letter)
        except (trio.Cancelled, KeyboardInterrupt):
            self._returned.append(letter.line)
            raise

    async def _cast(self, letter: Letter) -> None:
        assert self._caster is not None  # noqa: S101  # for the type checker: feed set it
        self._casts.sending(letter.line)
        try:
            await self._caster.cast(_signal(letter))
        except (trio.Cancelled, KeyboardInterrupt):
            self._casts.withdrawn(letter.line)
            raise

    @enable_ki_protection
    def look(self) -> None:
        """Book what has become of the casts."""
        if self._caster is None:
            return
        box = self._caster.dead_letters
        fresh = box.total - self._dead
        self._dead = box.total
        for dead in list(box)[-fresh:] if fresh else ():
            if dead.signal is not None:  # pragma: no branch - these agents direct nothing
                self._died(int(dead.signal.id or 0), dead.reason)
        self._casts.committed(self._caster.status().revision)

    def _died(self, line: int, error: AgentError) -> None:
        self._casts.died(line)
        if is_refusal(error):
            self._refused(line, str(error))
        else:
            self.ledger.settle(line, "dead_lettered", why(error))
        if isinstance(error, AgentCrashed):
            self.crashed_on = line

    # Calls ------------------------------------------------------------------------------------

    @enable_ki_protection
    async def till(self, ref: AgentRef[Any]) -> None:
        """Call ``ref`` with every letter that is for it, and measure how long it takes."""
        async for letter in self._at_till:
            began = trio.current_time()
            try:
                await ref.call(_signal(letter))
            except AgentError as error:
                self._failed(letter.line, error)
            except (trio.Cancelled, KeyboardInterrupt):
                self._returned.append(letter.line)
                raise
            else:
                self.ledger.settle(letter.line, "handled")
                self.figures.called(began, trio.current_time())

    def _failed(self, line: int, error: AgentError) -> None:
        if is_refusal(error):
            self._refused(line, str(error))
        elif isinstance(error, AgentCrashed):
            self.ledger.settle(line, "dead_lettered", why(error))
            self.say("dead", f"line {line}: {why(error)}")
        else:
            self._returned.append(line)

    def _refused(self, line: int, reason: str, text: str | None = None) -> None:
        self.ledger.settle(line, "refused", reason)
        self.say("refused", f"line {line}: {text or reason}")

    # The end ----------------------------------------------------------------------------------

    @enable_ki_protection
    async def drained(self) -> None:
        """Wait until every line is accounted for, or nothing happens any more."""
        await drained(self.ledger, self.look)

    def give_back(self, reason: str, *, rest: bool) -> None:
        """Book what was never delivered, with the ``rest`` of the input if that is wanted."""
        self.look()
        while True:
            try:
                self._returned.append(self._at_till.receive_nowait().line)
            except (trio.WouldBlock, trio.EndOfChannel):
                break
        for line in self._returned:
            self.ledger.settle(line, "not_delivered", reason)
        self._returned.clear()
        for line in self.source.rest() if rest else ():
            self.ledger.open(line)
            self.ledger.settle(line, "not_delivered", reason)


async def drained(ledger: Ledger, look: Callable[[], object]) -> None:
    """Wait until every line is accounted for, or nothing happens any more."""
    waiting, since = ledger.waiting, trio.current_time()
    while True:
        # Also when nothing is left: what was served last may have crashed its agent just now.
        await trio.sleep(_LOOK)
        look()
        if ledger.waiting != waiting:
            waiting, since = ledger.waiting, trio.current_time()
        if not waiting or trio.current_time() - since > _STALLED:
            return


def is_refusal(error: AgentError) -> bool:
    """Whether the agent said no, and lives."""
    return isinstance(error, InvalidData | NoRoute | Reject)


def why(error: AgentError) -> str:
    """Why a signal was not served."""
    cause = error.__cause__
    if isinstance(error, AgentCrashed) and cause is not None:
        return f"{error.id} crashed on it: {words(cause)}"
    return str(error)


def words(error: BaseException) -> str:
    """An exception, as a traceback ends."""
    return f"{type(error).__name__}: {error}".removesuffix(": ")


def _signal(letter: Letter) -> Signal:
    return Signal(letter.kind, letter.data, id=str(letter.line))
