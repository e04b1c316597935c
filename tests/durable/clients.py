"""Clients: they ask, and write down what they asked for and what they were told.

A client that was given no answer asks again, with the same id, in the next life. Now and then one
asks again for what it was told already, and must be told the same.
"""

from __future__ import annotations

from random import Random
from typing import Final, final

import trio

import trido
from tests.durable.application import ACCOUNTS, Account
from tests.durable.life import Life
from tests.durable.outside import CALLS, Lines, lines
from tests.durable.points import Points

TRY_AGAIN: Final = (trido.AgentCrashed, trido.Unavailable)
AT_ITS_END: Final = (trido.AgentStopped, trido.NoSuchAgent, trido.AgentParked, trido.IntakeClosed)

Ask = tuple[str, str, str, str]
"""An agent, an id, a type, an amount."""


@final
class Client:
    def __init__(self, rt: trido.Runtime, number: int, life: Life, points: Points) -> None:
        path = life.path / CALLS.format(number)
        self._rt = rt
        self._points = points
        self._name = f"{life.number}-{number}"
        self._random = Random(self._name)
        self._file = Lines(path)
        self._answers: dict[str, str] = {}
        self._asks: dict[str, Ask] = {}
        for what, agent, id, *more in lines(path):
            if what == "ask":
                self._asks[id] = (agent, id, *more)  # type: ignore[assignment]
            elif what == "got":
                self._answers[id] = more[0]
        self._asked = 0

    async def run(self) -> None:
        await self.ask_again()
        while True:
            await self._one()
            await trio.sleep(self._random.random() / 50)

    async def ask_again(self) -> None:
        for id, ask in self._asks.items():
            if id not in self._answers:
                await self._ask(ask)

    async def _one(self) -> None:
        dice = self._random.random()
        agent = self._random.choice(ACCOUNTS)
        if dice < 0.1 and self._answers:
            await self._ask(self._asks[self._random.choice([*self._answers])])
        elif dice < 0.13:
            await self._fail(agent, "refuse" if dice < 0.125 else "crash")
        else:
            self._asked += 1
            type = "check" if dice > 0.95 else "deposit"
            ask = agent, f"{self._name}-{self._asked}", type, str(self._random.randrange(1, 1_000))
            self._asks[ask[1]] = ask
            self._file.add(f"ask {' '.join(ask)}", sync=False)
            await self._ask(ask)

    async def _fail(self, agent: str, type: str) -> None:
        try:
            await self._rt.agent(agent).call(trido.Signal(type))
        except (trido.Reject, *TRY_AGAIN, *AT_ITS_END):
            return
        self._file.add(f"complaint {agent} - {type}_came_to_nothing")

    async def _ask(self, ask: Ask) -> None:
        agent, id, type, amount = ask
        signal = trido.Signal(type, {"amount": int(amount)}, id=id)
        self._points("a call, before")
        try:
            answer = said(await self._rt.agent(agent).call(signal))
        except (*TRY_AGAIN, *AT_ITS_END):
            await trio.sleep(0.01)
            return
        self._points("a call, answered")
        await trio.to_thread.run_sync(self._note, agent, id, answer)
        self._points("a call, acknowledged")

    def _note(self, agent: str, id: str, answer: str) -> None:
        before = self._answers.setdefault(id, answer)
        if before == answer:
            self._file.add(f"got {agent} {id} {answer}")
        else:
            self._file.add(f"complaint {agent} {id} first_told_{before}_then_{answer}")


def said(answer: object) -> str:
    """An answer in one word."""
    if isinstance(answer, Account):
        return f"state:{answer.deposits}:{answer.total}"
    return str(answer)
