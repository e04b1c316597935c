"""An agent decides, its runtime acts: a counter that says no, crashes, and heals.

Its state and what it is told are plain immutable values, so what it decides can be tried without
anything running. As a child of a supervisor it has an address, the ref, that outlives a crash.

Watch for: what is wrong is refused before the counter sees it. A crash reaches whoever called, with
its cause; the next run goes on with what was committed, and nobody needs another ref.

It prints::

    (Counter(value=3), ())
    Counter(value=2)
    no: $.by: expected int, got str
    no: a counter only goes up
    now 7
    heard: Counter(value=7)
    'a' crashed by a ZeroDivisionError
    Counter(value=8) in run 2
"""

from __future__ import annotations

import trio
from attrs import evolve, frozen

import trido


@frozen
class Counter:
    value: int = 0


@frozen
class Add:
    by: int = 1


counter = trido.Agent("counter", state=Counter, recover="committed")
listener = trido.Agent("listener", state=Counter)


@frozen
class AddLoudly:
    by: int
    to: trido.AgentRef[Counter]


@counter.on("counter.add")
def add(state: Counter, data: Add) -> trido.Decision[Counter]:
    if data.by < 0:
        raise trido.Reject("a counter only goes up")
    return evolve(state, value=state.value + data.by)


@counter.on("counter.add_loudly")
def add_loudly(state: Counter, data: AddLoudly) -> trido.Decision[Counter]:
    new = evolve(state, value=state.value + data.by)
    return new, [trido.Emit(changed.signal(new), to=data.to), trido.Reply(f"now {new.value}")]


@counter.on("counter.divide")
def divide(state: Counter, data: int) -> Counter:
    return evolve(state, value=state.value // data)


@listener.on("counter.changed")
def changed(state: Counter, data: Counter) -> Counter:
    return data


async def main() -> None:
    # A decision is a function of its arguments. Plain data will do: it is checked, strictly.
    print(counter.cmd(Counter(1), trido.Signal("counter.add", {"by": 2})))

    a, b = counter.spec(id="a"), listener.spec(id="b")
    async with trido.open_supervisor(a, b) as sup:
        ref, heard = sup[a].value, sup[b].value
        print(await ref.call(add.signal(Add(2))))

        for wrong in (trido.Signal("counter.add", {"by": "2"}), add.signal(Add(-1))):
            try:
                await ref.call(wrong)
            except (trido.InvalidData, trido.Reject) as no:
                print("no:", no)

        print(await ref.call(trido.Signal("counter.add_loudly", AddLoudly(5, to=heard))))
        await trio.sleep(0.01)
        print("heard:", heard.state())

        try:
            await ref.call(divide.signal(0))
        except trido.AgentCrashed as crash:
            print(f"{crash.id!r} crashed by a {type(crash.__cause__).__name__}")

        # The next run goes on with the last committed state, under the same ref.
        print(await ref.call(add.signal(Add(1))), "in run", ref.incarnation)


if __name__ == "__main__":
    trio.run(main)
