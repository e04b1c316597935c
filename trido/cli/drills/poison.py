"""One letter kills whoever reads it."""

from __future__ import annotations

from typing import Final

import trio
from attrs import evolve, frozen

from trido.agents import Signal
from trido.cli.drills.judge import Figures, at_least, at_most
from trido.cli.drills.kit import Drill
from trido.runtime import Agent, AgentSpec
from trido.supervision import RestartLimitExceeded, open_supervisor

LETTERS: Final = 20
POISON: Final = 7


@frozen
class Read:
    """What it has read."""

    letters: int = 0


tries: list[int] = []
"""Which letters were begun."""

reader: Final = Agent("reader", state=Read, recover="committed")


@reader.on("letter")
def letter(state: Read, number: int) -> Read:
    """Read one."""
    tries.append(number)
    if number == POISON:
        raise ZeroDivisionError("poison")
    return evolve(state, letters=state.letters + 1)


def example() -> AgentSpec[Read]:
    """It is given a second try, for it may have been bad luck, and no third."""
    return reader.spec(id="reader", redeliver=1)


async def run(spec: AgentSpec[Read]) -> Figures:
    """Send it good letters with a bad one among them."""
    tries.clear()
    read = dead = 0
    gave_up = False
    try:
        async with open_supervisor(spec) as supervisor:
            ref = supervisor[spec].value
            for number in range(LETTERS):
                await ref.cast(Signal("letter", number))
            await trio.sleep(60.0)
            read = ref.state().letters
            dead = sum(one.signal is not None for one in ref.dead_letters)
    except RestartLimitExceeded:
        gave_up = True
    return {
        "tries of the bad letter": tries.count(POISON),
        "dead letters": dead,
        "good letters that were read": read,
        "supervisors that gave up": int(gave_up),
    }


DRILL = Drill(
    name="poison",
    does="one letter among others kills whoever reads it",
    protection="it is tried again so often and no more, and then a dead letter",
    limits=(
        at_most("tries of the bad letter", 3),
        at_least("dead letters", 1),
        at_least("good letters that were read", LETTERS - 1),
        at_most("supervisors that gave up", 0),
    ),
    run=run,
    example=example,
)
