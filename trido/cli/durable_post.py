"""Brings every letter to its agent, once over all lives of the demo, and has that written down.

Nothing is cast here: a call is answered, and answered again for the same id. So whatever was under
way when the process was killed is simply sent once more.
"""

from __future__ import annotations

import math
import random
from collections.abc import Mapping
from contextlib import ExitStack
from typing import Any, Final, TypeAlias

import trio
from attrs import define, field
from trio.lowlevel import enable_ki_protection

from trido.agents import AgentError, Signal
from trido.cli.clerk import Book, Settled, take_over
from trido.cli.figures import Figures
from trido.cli.ledger import Fate, Ledger
from trido.cli.lines import Letter, Refusal, read
from trido.cli.lives import Lives
from trido.cli.post import RATE, Say, drained, is_refusal, why
from trido.cli.source import Source
from trido.journal import Unavailable
from trido.runtime import AgentCrashed, AgentRef, AgentStopped, NoSuchAgent
from trido.supervision import ChildSpec, Supervisor

TILLS: Final = 4
"""How many letters are under way to each agent."""
_BUFFERED: Final = 50
_AGAIN: Final = 0.1
"""Seconds until a call is made again whose outcome is not known."""
PATIENCE: Final = 2.0
"""Seconds for which nothing can be written until that is the end."""

Ends: TypeAlias = "tuple[trio.MemorySendChannel[Letter], trio.MemoryReceiveChannel[Letter]]"


@define(kw_only=True, eq=False)
class DurablePost:
    """Calls agents with letters, and the clerk with what became of them."""

    source: Source
    ledger: Ledger
    figures: Figures
    say: Say
    speed: float
    seed: int
    lives: Lives
    crashed_on: int | None = None
    """As of a `Post`: it is not known before the crash is told of."""
    _book: Book = field(factory=Book, init=False)
    """What was settled in earlier lives."""
    _returned: list[int] = field(factory=list, init=False)
    _ends: dict[str, Ends] = field(factory=dict, init=False)
    _scope: trio.CancelScope = field(factory=trio.CancelScope, init=False)
    _trouble: Unavailable | None = field(default=None, init=False)
    """What was told last, if nothing was written since."""
    _since: float = field(default=math.inf, init=False)
    """Since when that is so."""

    async def work(self, operator: Supervisor, kinds: Mapping[str, AgentRef[Any]]) -> None:
        """Bring every line that is not settled to these agents, and wait until all are.

        Raises:
          Unavailable: nothing can be written any more.
        """
        self.say("life", str(self.lives.begin(kinds)))
        self._book = self.lives.clerk.state()
        take_over(self._book, self.ledger)
        for kind, ref in kinds.items():
            self._ends[kind] = trio.open_memory_channel[Letter](_BUFFERED)
            for number in range(TILLS):
                id = f"{kind} till {number}"
                spec = ChildSpec(self.till, kind, ref, id=id, restart="transient")
                await operator.start_child(spec)
        await operator.start_child(ChildSpec(self.watch, id="patience", restart="transient"))
        with self._scope:
            await self.feed()
            await drained(self.ledger, self.look)
        if self._scope.cancelled_caught and self._trouble is not None:
            raise self._trouble
        self.lives.end(kinds)

    def look(self) -> None:
        """Nothing is cast here: whoever calls is told."""

    @enable_ki_protection
    async def feed(self) -> None:
        """Read every line, and send those that are not settled where they belong."""
        chance, due = random.Random(self.seed), trio.current_time()
        with ExitStack() as stack:
            for sending, _ in self._ends.values():
                stack.enter_context(sending)
            while (line := await self.source.next()) is not None:
                if self._book.has(line[0]):
                    await trio.lowlevel.checkpoint()
                    continue
                self.ledger.open(line[0])
                await self._send(read(*line, frozenset(self._ends)))
                if self.speed < math.inf:
                    due += chance.expovariate(RATE * self.speed)
                await trio.sleep_until(due)

    async def _send(self, letter: Letter | Refusal) -> None:
        try:
            if isinstance(letter, Refusal):
                await self._refused(letter.line, letter.why, letter.text)
            else:
                await self._ends[letter.kind][0].send(letter)
        except (trio.Cancelled, KeyboardInterrupt):
            self._returned.append(letter.line)
            raise

    # Calls ------------------------------------------------------------------------------------

    @enable_ki_protection
    async def till(self, kind: str, ref: AgentRef[Any]) -> None:
        """Call ``ref`` with the letters that are for it."""
        async for letter in self._ends[kind][1]:
            try:
                await self._serve(letter, ref)
            except (AgentStopped, NoSuchAgent):  # all ends: nobody writes down what came of it
                self._returned.append(letter.line)
            except (trio.Cancelled, KeyboardInterrupt):
                self._returned.append(letter.line)
                raise

    async def _serve(self, letter: Letter, ref: AgentRef[Any]) -> None:
        began = trio.current_time()
        try:
            await self._call(ref, Signal(letter.kind, letter.data, id=str(letter.line)))
        except AgentError as error:
            await self._failed(letter.line, error)
        else:
            if ref.id != self.figures.watched:
                self.figures.called(began, trio.current_time())
            await self._settle(letter.line, "handled")

    async def _failed(self, line: int, error: AgentError) -> None:
        if is_refusal(error):
            await self._refused(line, str(error))
        elif isinstance(error, AgentCrashed):
            self.say("dead", f"line {line}: {why(error)}")
            await self._settle(line, "dead_lettered", why(error))
        else:
            self._returned.append(line)

    async def _refused(self, line: int, reason: str, text: str | None = None) -> None:
        self.say("refused", f"line {line}: {text or reason}")
        await self._settle(line, "refused", reason)

    async def _settle(self, line: int, fate: Fate, reason: str = "") -> None:
        """Have it written, and only then take it for settled."""
        signal = Signal("demo.settled", Settled(line, fate, reason), id=f"line {line}")
        await self._call(self.lives.clerk, signal)
        self.ledger.settle(line, fate, reason)

    async def _call(self, ref: AgentRef[Any], signal: Signal) -> None:
        """Until it is known what came of it. The signal has an id: its turn happens once."""
        while True:
            try:
                await ref.call(signal)
            except Unavailable as error:
                self.say("journal", str(error))
                self._trouble = error
                self._since = min(self._since, trio.current_time())
                await trio.sleep(_AGAIN)
            else:
                self._trouble, self._since = None, math.inf
                return

    async def watch(self) -> None:
        """Wait until nothing could be written for too long: that is the end."""
        while trio.current_time() < self._since + PATIENCE:  # noqa: ASYNC110  # it is a clock
            await trio.sleep(_AGAIN)
        self._scope.cancel(reason="nothing can be written")

    # The end ----------------------------------------------------------------------------------

    def give_back(self, reason: str, *, rest: bool) -> None:
        """Book what was not delivered in this life, with the ``rest`` of the input if wanted."""
        for _, receiving in self._ends.values():
            self._take_back(receiving)
        for line in self._returned:
            self.ledger.settle(line, "not_delivered", reason)
        self._returned.clear()
        for line in self.source.rest() if rest else ():
            if not self._book.has(line):
                self.ledger.open(line)
                self.ledger.settle(line, "not_delivered", reason)

    def _take_back(self, letters: trio.MemoryReceiveChannel[Letter]) -> None:
        while True:
            try:
                self._returned.append(letters.receive_nowait().line)
            except (trio.WouldBlock, trio.EndOfChannel, trio.ClosedResourceError):
                return
