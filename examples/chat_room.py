"""A chat room: whoever is in it hears what is said, each at their own pace.

The room is an agent. What it emits without an address goes to the bus, and a guest is a task that
subscribes. The room knows none of the guests, so it waits for none of them.

Watch for: Ann came first, and hears all of it. Bo came a line later. Cem is slow and wants only the
latest two lines: what he misses is counted, and holds up nobody. Nobody hears the swearing, for the
room said no to that. The room crashes, and the talk goes on: no guest has to join again.

It prints::

    Bo is told: mind your language
    Ann is told: agent 'room' crashed while it served the signal
    Ann heard: Is anybody here? I am. Rain! I have none. Then wait. Bye. (0 missed)
    Bo heard: I am. Rain! I have none. Then wait. Bye. (0 missed)
    Cem heard: Rain! Then wait. Bye. (1 missed)
    6 lines, in run 2
"""

from __future__ import annotations

from typing import Any

import trio
from attrs import evolve, frozen

import trido

# The room -----------------------------------------------------------------------------------------


@frozen
class Room:
    said: int = 0


@frozen
class Said:
    who: str
    text: str


room = trido.Agent("room", state=Room, recover="committed")


@room.on("room.say")
def say(state: Room, line: Said) -> trido.Decision[Room]:
    if "damn" in line.text:
        raise trido.Reject("mind your language")
    if not line.text.isascii():
        raise NotImplementedError("emoji")
    heard = trido.Emit(trido.Signal("room.said", line))
    return evolve(state, said=state.said + 1), [heard]


# The guests ---------------------------------------------------------------------------------------


@frozen
class Guest:
    name: str
    pace: float = 0.0
    buffer: int = 100

    async def listen(self, rt: trido.Runtime, *, task_status: trio.TaskStatus[None]) -> None:
        heard: list[str] = []
        # When it is full, the oldest line goes: overflow="drop_oldest" is the default.
        with rt.subscribe("room.said", buffer=self.buffer) as lines:
            task_status.started()
            async for signal in lines:
                heard.append(signal.data.text)
                await trio.sleep(self.pace)
                if signal.data.text == "Bye.":
                    break
        print(f"{self.name} heard: {' '.join(heard)} ({lines.statistics().dropped} missed)")

    def spec(self, rt: trido.Runtime) -> trido.ChildSpec[Any]:
        return trido.ChildSpec(self.listen, rt, id=self.name, restart="transient")


# A talk -------------------------------------------------------------------------------------------


async def main() -> None:
    ann, bo, cem = Guest("Ann"), Guest("Bo", pace=0.1), Guest("Cem", pace=10.0, buffer=2)
    async with trido.open_runtime() as rt, trido.open_supervisor(ann.spec(rt)) as guests:
        ref = await rt.start_agent(room, id="room")
        await ref.call(say.signal(Said("Ann", "Is anybody here?")))
        await guests.start_child(bo.spec(rt))
        await ref.call(say.signal(Said("Bo", "I am.")))
        await guests.start_child(cem.spec(rt))
        for who, text in (
            ("Ann", "Rain!"),
            ("Bo", "damn it"),
            ("Ann", "\N{UMBRELLA}?"),
            ("Bo", "I have none."),
            ("Ann", "Then wait."),
            ("Bo", "Bye."),
        ):
            try:
                await ref.call(say.signal(Said(who, text)))
            except (trido.Reject, trido.AgentCrashed) as error:
                print(f"{who} is told: {error}")
            await trio.sleep(1)
        await guests["Cem"].wait_ended()
        print(f"{ref.state().said} lines, in run {ref.incarnation}")


if __name__ == "__main__":
    trido.run(main)
