"""Storage that fails as a plan says, and what is told of plans that name what is not there."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import trio
from attrs import evolve, frozen

import trido
from tests.testing.agents import Add, counter, quiet, signal
from trido import testing
from trido.journal.operations import Letters
from trido.runtime.environment import Environment
from trido.runtime.probe import Probe
from trido.supervision.probe import PROBE
from trido.testing import FaultPlan, inject


@pytest.fixture(autouse=True)
def _quiet() -> Iterator[None]:
    with quiet():
        yield


@frozen
class Paid:
    total: int = 0
    orders: tuple[str, ...] = ()


payer = trido.Agent("payer", state=Paid, durability="sync")


@payer.on("pay")
def pay(state: Paid, data: Add, turn: trido.Turn) -> trido.Decision[Paid]:
    return evolve(state, total=state.total + data.by, orders=(*state.orders, str(turn.signal.id)))


async def paid() -> tuple[int, list[str], float]:
    """Pays three times, each until it is told so; what was paid, what went wrong, and how long."""
    wrong: list[str] = []
    async with trido.open_runtime(journal=trido.MemoryJournal(), agents=[payer]) as rt:
        ref = await rt.start_agent(payer, id="a")
        for number in range(3):
            order = trido.Signal("pay", Add(1), id=str(number), source="test")
            while True:
                try:
                    await ref.call(order)
                    break
                except (trido.AgentError, trido.JournalError) as error:
                    assert len(wrong) < 9, wrong
                    wrong.append(type(error).__name__)
                    await trio.sleep(1)
        assert ref.state().orders == ("0", "1", "2")
        return ref.state().total, wrong, trio.current_time()


@pytest.mark.parametrize(
    ("plan", "wrong"),
    [
        ("nothing", []),
        ("storage unavailable at write 3", ["Unavailable"]),
        ("storage full at write 3", ["Unavailable"]),
        ("storage lost at write 3", ["Unavailable"]),
        ("storage fenced at write 3", ["AgentCrashed"]),
        ("storage slow 5s at write 3", []),
        ("storage slow 5s at open 1", []),
        ("crash a at turn 2 after commit; storage slow 5s at write 2", []),
    ],
)
def test_a_write_that_fails_loses_nothing_and_does_nothing_twice(
    plan: str, wrong: list[str]
) -> None:
    total, came, time = testing.run(paid, seed=1, plan=plan, guarded=False)
    assert (total, came) == (3, wrong)
    assert time >= (5 if "slow" in plan else 0)


@pytest.mark.parametrize(
    ("plan", "error"),
    [
        ("storage unavailable at open 1", trido.Unavailable),
        ("storage locked at open 1", trido.Locked),
        ("storage corrupt at open 1", trido.Corrupt),
        ("storage newer at open 1", trido.TooNew),
    ],
)
def test_an_opening_that_fails_is_told_with_the_fault(
    plan: str, error: type[trido.JournalError]
) -> None:
    with pytest.raises(error, match=plan):
        testing.run(paid, plan=plan)


async def looked() -> list[str]:
    """What becomes of reading what there is to do."""
    found: list[str] = []
    async with trido.open_runtime(journal=trido.MemoryJournal(), agents=[payer]) as rt:
        session: Any = rt.env.session
        for _ in range(2):
            try:
                await session.read(Letters(None, 10))
                found.append("read")
            except trido.JournalError as error:
                found.append(type(error).__name__)
        assert "MemoryJournal" in repr(rt.env.journal)
    return found


def test_a_read_that_fails_is_told_and_the_next_is_not() -> None:
    assert testing.run(looked) == ["read", "read"]
    first = testing.run(looked, plan="storage corrupt at read 2", seed=2)
    assert first in (["Corrupt", "read"], ["read", "Corrupt"], ["read", "read"])
    slow = testing.run(looked, plan="storage slow 3s at read 1", seed=2)
    assert slow == ["read", "read"]


def test_a_runtime_without_a_journal_has_no_storage_to_fail() -> None:
    async def main() -> int:
        async with inject("storage full at write 1") as injection, trido.open_runtime() as rt:
            ref = await rt.start_agent(counter, id="a")
            await ref.call(signal("add"))
            return len(injection.pending)

    assert testing.run(main) == 1


# Plans that name what is not there ----------------------------------------------------------------


async def scene() -> None:
    async def feed() -> None:
        await trio.sleep(1)
        await trio.sleep(100)

    async with trido.open_supervisor(trido.ChildSpec(feed), counter.spec(id="a"), id="root") as sup:
        await sup["a"].value.call(signal("add"))
        await trio.sleep(3)


async def rests() -> None:
    async with trido.open_runtime() as rt:
        await (await rt.start_agent(counter, id="a")).call(signal("rest"))


@pytest.mark.parametrize(
    ("plan", "says"),
    [
        (
            "crash b at turn 1",
            "no agent or child 'b'; there is a, any counter, feed, root/a",
        ),
        ("crash any payer at turn 1", "no agent 'payer'; there is a"),
        ("drop 1st signal to b", "no agent or child 'b'"),
        ("crash a at turn 2", "no turn 2 of a; there is turn 1, turn 1 of add"),
        ("crash a at turn 1 of sub", "no turn 1 of sub of a"),
        ("crash a at turn 1 during directive 2", "no turn 1 during directive 2 of a"),
        ("crash feed at await 9", "no await 9 of feed; there is await 1"),
        ("crash feed at turn 1", "no turn 1 of feed; there is start 1, await 1"),
        ("drop 2nd signal to a", "no signal 2 of a; there is signal 1"),
        ("storage full at write 1", "no write 1; there is nothing"),
        ("crash a at turn 1; crash a at turn 2 of sub", "no turn 2 of sub of a"),
        ("crash a at turn 1; storage full at write 1", "no write 1"),
    ],
)
def test_a_plan_that_names_what_is_not_there_fails_before_the_run(plan: str, says: str) -> None:
    with pytest.raises(testing.UnknownPoint) as caught:
        testing.run(scene, plan=plan)
    assert says in str(caught.value)
    if ";" not in plan:  # else some of it happens
        testing.run(scene, plan=plan, rehearsed=False)


def test_what_is_possible_only_by_another_fault_is_possible() -> None:
    async def main() -> Any:
        async with inject("crash a at turn 1; crash a at start 2; crash a at stop 7") as injection:
            await scene()
        return injection.pending

    with pytest.raises(trido.AgentCrashed):
        testing.run(main)
    with pytest.raises(trido.AgentCrashed):
        testing.run(scene, plan="crash a at turn 1; crash a at start 2")


def test_what_an_error_lists_it_lists_in_part() -> None:
    async def main() -> None:
        async with trido.open_runtime() as rt:
            ref = await rt.start_agent(counter, id="a")
            for _ in range(40):
                await ref.call(signal("rest"))

    with pytest.raises(testing.UnknownPoint) as caught:
        testing.run(main, plan="crash a at await 41", guarded=False)
    assert caught.value.known[-1] == "10 more"


def test_a_probe_that_does_nothing_changes_nothing() -> None:
    class Opened(Probe):
        def __init__(self) -> None:
            self.environments: list[Environment] = []

        def opened(self, env: Environment) -> None:
            self.environments.append(env)

    async def main() -> Any:
        opened, result = Opened(), None
        for probe in (opened, Probe()):
            token = PROBE.set(probe)
            try:
                async with inject(FaultPlan()):
                    await scene()
                await rests()
                result = await paid()
            finally:
                PROBE.reset(token)
        return result, len(opened.environments)

    result, count = testing.run(main)
    assert result[0] == 3
    assert count == 2


def test_of_several_that_do_harm_the_first_is_heard() -> None:
    class Harms(Probe):
        def __init__(self, name: str) -> None:
            self.name = name
            self.told = 0

        def started(self, place: Any) -> None:
            self.told += 1
            raise ValueError(self.name)

    one, other = Harms("one"), Harms("other")

    async def main() -> None:
        token = PROBE.set(one)
        try:
            from trido.testing.inject import beside  # noqa: PLC0415

            PROBE.set(beside(beside(None, one), other))
            await scene()
        finally:
            PROBE.reset(token)

    with pytest.raises(trido.StartFailed) as caught:
        testing.run(main)
    assert str(caught.value.__cause__) == "one"
    assert one.told == other.told > 0


@pytest.mark.parametrize(
    "plan",
    [
        "nothing",
        "crash a at turn 1 before directive 1",
        "crash a at turn 1 after directive 1",
        "crash a at turn 1 after commit",
        "storage lost at write 2",
    ],
)
def test_what_is_in_the_journal_is_carried_out_whatever_crashes(plan: str) -> None:
    teller = trido.Agent("teller", state=Paid, durability="sync")

    @teller.on("tell")
    def tell(state: Paid, data: Add) -> trido.Decision[Paid]:
        return evolve(state, total=data.by), [trido.Emit(signal("add", data.by), to="b")]

    async def main() -> tuple[int, int]:
        journal = trido.MemoryJournal()
        async with trido.open_runtime(journal=journal, agents=[teller]) as rt:
            other = await rt.start_agent(counter, id="b")
            ref = await rt.start_agent(teller, id="a")
            await ref.cast(trido.Signal("tell", Add(7), id="1", source="test"))
            await trio.sleep(60)
            return ref.state().total, other.state().value

    assert testing.run(main, seed=1, plan=plan, guarded=False) == (7, 7)
