"""The agent part of architecture.md's example, as type checkers see it. It also runs."""

from __future__ import annotations

from typing import Any, assert_type

import trio
from attrs import evolve, frozen

import trido


@frozen
class Counter:
    value: int = 0


@frozen
class Add:
    by: int = 1


counter = trido.Agent("counter", state=Counter)


@counter.on("counter.add")
def add(state: Counter, data: Add) -> trido.Decision[Counter]:
    return evolve(state, value=state.value + data.by), [
        trido.Emit(trido.Signal("counter.changed", data))
    ]


@counter.on("counter.set", data=int)
def set_to(state: Counter, data: int, turn: trido.Turn) -> Counter:
    return Counter(data)


@counter.on("counter.stop")
def stop(state: Counter, data: None) -> tuple[Counter, list[trido.Stop]]:
    return state, [trido.Stop()]


state, directives = counter.cmd(Counter(), trido.Signal("counter.add", Add(by=2)))
assert_type(state, Counter)
assert_type(directives, tuple[trido.Directive, ...])
assert_type(add.signal(Add(2)), trido.Request[Add, Counter])
assert_type(add(Counter(), Add(2)), trido.Decision[Counter])
assert_type(set_to.signal(3), trido.Request[int, Counter])

a = counter.spec(id="a")
assert_type(a, trido.AgentSpec[Counter])


async def main() -> None:
    async with trido.open_supervisor(a, counter.spec(id="b"), strategy="one_for_one") as sup:
        ref = sup["a"].value
        assert_type(ref, Any)
        await ref.call(trido.Signal("counter.add", Add(2)))
        typed = sup[a].value
        assert_type(typed, trido.AgentRef[Counter])
        assert_type(await typed.call(trido.Signal("counter.add", Add(2))), Any)
        assert_type(await typed.call(add.signal(Add(2))), Counter)
        assert_type(typed.state(), Counter)
        assert typed.state() == Counter(6)
        child = await sup.start_child(counter.spec(id="c"))
        assert_type(child.value, trido.AgentRef[Counter])
        await child.value.cast(stop.signal(None))


if __name__ == "__main__":
    trio.run(main)
