"""Runs that a seed decides: in virtual time, in no thread, told when they cannot be replayed."""

from __future__ import annotations

import _thread
import datetime as dt
import inspect
import os
import random
import secrets
import socket
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import trio
import uuid_utils.compat
from trio.testing import MockClock

import trido
from tests.testing.agents import Add, Count, quiet, signal
from trido import testing
from trido.testing import NotReproducible


async def order(names: str = "abcdefgh") -> str:
    """In which order tasks run."""
    came: list[str] = []

    async def come(name: str) -> None:
        await trio.sleep(1)
        came.append(name)

    async with trio.open_nursery() as nursery:
        for name in names:
            nursery.start_soon(come, name)
    return "".join(came)


def test_a_seed_decides_the_order_of_tasks() -> None:
    found = {seed: testing.run(order, seed=seed) for seed in range(8)}
    assert len(set(found.values())) > 1
    assert found == {seed: testing.run(order, seed=seed) for seed in range(8)}


def test_several_seeds_are_tried_in_order() -> None:
    assert testing.run_seeds(order, "ab", seeds=3) == [
        testing.run(order, "ab", seed=seed) for seed in range(3)
    ]
    assert testing.run_seeds(order, "ab", seeds=[7]) == [testing.run(order, "ab", seed=7)]


def test_no_seeds_try_nothing() -> None:
    with pytest.raises(trido.SpecError, match="seeds=0"):
        testing.run_seeds(order, seeds=0)


def test_time_is_virtual_and_chance_is_the_callers_again() -> None:
    async def sleep() -> float:
        await trio.sleep(86_400)
        return trio.current_time()

    before = random.getstate()
    assert testing.run(sleep) == 86_400
    assert random.getstate() == before


def test_what_leaves_a_run_says_how_to_replay_it() -> None:
    async def fails() -> None:
        raise ValueError("no")

    with pytest.raises(ValueError, match="no") as caught:
        testing.run(fails, seed=5)
    assert caught.value.__notes__ == ["replay it with seed=5"]
    with pytest.raises(ValueError, match="no") as caught:
        testing.run(fails, seed=5, plan="clock +1s at 3s")
    assert caught.value.__notes__ == [
        "this was the rehearsal, without faults: rehearsed=False leaves it out",
        "replay it with seed=5, plan='clock +1s at 3s'",
    ]
    with pytest.raises(ValueError, match="no") as caught:
        testing.run(fails, seed=5, plan="clock +1s at 3s", rehearsed=False)
    assert caught.value.__notes__ == ["replay it with seed=5, plan='clock +1s at 3s'"]
    with pytest.raises(ValueError, match="no") as caught:
        testing.run_seeds(fails, seeds=[3])
    assert caught.value.__notes__ == ["replay it with seed=3"]


def test_a_plan_that_does_not_happen_fails() -> None:
    async def main() -> None:
        async with trido.open_runtime() as rt:
            await rt.start_agent(trido.Agent("a", state=Count), id="a")
            await trio.sleep(5)

    late = "clock +1s at 3s; crash a at 999s"
    with pytest.raises(testing.NotReached, match="'crash a at 999s' did not happen") as caught:
        testing.run(main, seed=5, plan=late)
    assert caught.value.faults == ("crash a at 999s",)
    assert caught.value.__notes__ == [f"replay it with seed=5, plan='{late}'"]
    testing.run(main, plan=late, rehearsed=False)
    testing.run(main, plan="clock +1s at 3s; crash a at 4s")
    with pytest.raises(testing.NotReached):
        testing.run_seeds(main, plan=late, seeds=2)


def test_a_time_at_which_nobody_was_there_is_told_as_the_reason() -> None:
    async def main() -> None:
        async with trido.open_runtime() as rt:
            await trio.sleep(5)
            await rt.start_agent(trido.Agent("a", state=Count), id="a")

    said = "'crash a at 3s' did not happen: nobody 'a' was running at 3s"
    with pytest.raises(testing.NotReached) as caught:
        testing.run(main, plan="crash a at 3s")
    assert str(caught.value) == said
    with pytest.raises(testing.NotReached) as caught:
        testing.run(main, plan="crash a at 3s; crash any a at 9s")
    assert str(caught.value).startswith(f"{said}; 'crash any a at 9s' did not happen: the run was")


def test_a_supervisor_is_no_child_that_could_fail() -> None:
    async def main() -> None:
        inner = trido.SupervisorSpec(trido.ChildSpec(trio.sleep, 9), id="inner")
        async with trido.open_supervisor(inner, trido.ChildSpec(order), id="top"):
            await trio.sleep(1)

    for name in ("inner", "top/inner"):
        with pytest.raises(testing.UnknownPoint, match="name one of its children") as caught:
            testing.run(main, plan=f"crash {name} at 1s")
        assert caught.value.known == ("top/inner/sleep",)


def test_what_is_never_over_says_where_it_was() -> None:
    async def waits() -> None:
        async with trido.open_runtime(), trio.open_nursery() as nursery:
            nursery.start_soon(trio.sleep_forever)
            await trio.sleep_forever()

    with pytest.raises(testing.NotOver) as caught:
        testing.run(waits, lasts=60)
    line = waits.__code__.co_firstlineno + 3
    assert f"it was at {__file__}:{line}" in caught.value.__notes__


def test_instruments_look_on() -> None:
    class Steps(trio.abc.Instrument):
        taken = 0

        def before_task_step(self, task: trio.lowlevel.Task) -> None:
            self.taken += 1

    steps = Steps()
    testing.run(order, instruments=[steps])
    assert steps.taken > 8


def test_a_seed_is_a_number() -> None:
    seed: Any = "seven"
    with pytest.raises(trido.SpecError, match="seed='seven'"):
        testing.run(order, seed=seed)


def test_what_is_never_over_is_told_so() -> None:
    async def spins() -> None:
        while True:  # noqa: ASYNC110  # no end is what it is about
            await trio.lowlevel.checkpoint()

    with pytest.raises(testing.NotOver) as spun:
        testing.run(spins, steps=1000, guarded=False)
    assert spun.value.steps >= 1000
    assert spun.value.why == "it has taken all of steps=1000: have it end, or give it more"

    async def hides() -> None:
        with trio.CancelScope(shield=True):
            await trio.sleep_forever()

    with pytest.raises(testing.NotOver, match="at 9 s"):
        testing.run(hides, lasts=9)
    with pytest.raises(testing.NotOver) as slept:
        testing.run(trio.sleep_forever, lasts=60)
    assert slept.value.time == 60
    assert slept.value.why == "it lasts longer than lasts=60: have it end, or give it more"


@pytest.mark.parametrize("by", ["trido.testing", "trio.testing"])
def test_actions_and_journals_use_no_thread(
    by: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    agent = trido.Agent("agent", state=Count, durability="sync")

    @trido.action
    def work(data: Add) -> Add:
        assert threading.current_thread() is threading.main_thread()
        return data

    @agent.on("begin")
    def begin(state: Count, data: Add) -> trido.Decision[Count]:
        return state, [trido.Run(work, data, ok="end", where="thread")]

    @agent.on("end")
    def end(state: Count, data: Add) -> trido.Decision[Count]:
        return Count(data.by)

    async def main() -> int:
        journal = trido.SqliteJournal(tmp_path / "app.db")
        async with trido.open_runtime(
            journal=journal, agents=[agent], actions=[work], watchdog=60.0
        ) as rt:
            ref = await rt.start_agent(agent, id="a")
            await ref.call(signal("begin", 7))
            return (await ref.wait_for(lambda state: state.value)).value

    monkeypatch.setattr(trio.to_thread, "run_sync", None)
    if by == "trido.testing":
        assert testing.run(main, guarded=False) == 7
    else:
        assert trio.run(main, clock=MockClock(autojump_threshold=0)) == 7


# What cannot be replayed ------------------------------------------------------------------------


def at_time() -> object:
    return time.time()


def at_now() -> object:
    return dt.datetime.now(dt.UTC)


def at_sleep() -> object:
    return time.sleep(0)  # type: ignore[func-returns-value]


def at_random() -> object:
    return random.random()


def at_randint() -> object:
    return random.randint(1, 6)


def at_uuid() -> object:
    return uuid.uuid4()


def at_uuid1() -> object:
    return uuid.uuid1()


def at_getrandom() -> object:
    return getattr(os, "getrandom", os.urandom)(2)


def at_perf_counter() -> object:
    return time.perf_counter()


def at_process_time() -> object:
    return time.process_time()


def at_random_of_its_own() -> object:
    return random.Random().random()


def at_seed() -> object:
    random.seed()
    return None


def at_secrets() -> object:
    return secrets.token_hex()


def at_thread() -> object:
    return threading.Thread(target=print).start()  # type: ignore[func-returns-value]


def at_process() -> object:
    return subprocess.Popen([sys.executable, "-c", ""])


def at_socket() -> object:
    return socket.socket()


def at_clock() -> object:
    return time.clock_gettime(time.CLOCK_MONOTONIC)


def at_ctime() -> object:
    return time.ctime()


def at_localtime() -> object:
    return time.localtime()


def at_strftime() -> object:
    return time.strftime("%H:%M")


def at_uuid7() -> object:
    return uuid_utils.compat.uuid7()


def at_shell() -> object:
    return os.system("true")  # pyright: ignore[reportDeprecated]  # that is what is looked for


def at_start_new_thread() -> object:
    return _thread.start_new_thread(print, ())


def at_random_from_before() -> object:
    return BEFORE.random()


def at_seeded_from_before() -> object:
    return SEEDED_BEFORE.randint(1, 6)


BEFORE = random.Random()
SEEDED_BEFORE = random.Random(1)
USES: list[Callable[[], object]] = [
    at_time,
    at_now,
    at_sleep,
    at_random,
    at_randint,
    at_uuid,
    at_uuid1,
    at_getrandom,
    at_perf_counter,
    at_process_time,
    at_random_of_its_own,
    at_seed,
    at_secrets,
    at_thread,
    at_process,
    at_socket,
    at_clock,
    at_ctime,
    at_localtime,
    at_strftime,
    at_uuid7,
    at_shell,
    at_start_new_thread,
    at_random_from_before,
    at_seeded_from_before,
]


@pytest.mark.parametrize("use", USES)
def test_what_no_seed_decides_is_told_with_its_place(use: Callable[[], object]) -> None:
    async def main() -> None:
        await trio.sleep(1)
        use()

    with pytest.raises(NotReproducible) as caught:
        testing.run(main)
    line = use.__code__.co_firstlineno + 1
    assert caught.value.place == f"{__file__}:{line}"
    assert "use" in caught.value.remedy


async def in_a_thread() -> None:
    await trio.to_thread.run_sync(at_time)


def test_a_thread_of_trio_is_told_with_its_place() -> None:
    with pytest.raises(NotReproducible, match="a thread") as caught:
        testing.run(in_a_thread)
    line = inspect.getsourcelines(in_a_thread)[1] + 1
    assert caught.value.place == f"{__file__}:{line}"
    assert sys.getprofile() is None


def test_who_hides_what_cannot_be_replayed_is_told_nevertheless() -> None:
    agent = trido.Agent("agent", state=Count)

    @agent.on("add")
    def add(state: Count, data: Add) -> trido.Decision[Count]:
        return Count(random.randint(1, 6))

    async def main() -> None:
        async with trido.open_runtime() as rt:
            ref = await rt.start_agent(agent, id="a")
            await ref.cast(signal("add"))
            await trio.sleep(1)

    with quiet(), pytest.raises(NotReproducible, match="the global random"):
        testing.run(main)
    with quiet():
        testing.run(main, guarded=False)


def test_what_no_clock_has_a_say_in_is_replayed() -> None:
    own = random.Random(1)

    async def main() -> list[object]:
        own.seed(3)
        made = random.Random(4)
        turn = trido.Turn(agent_id="a", revision=1)
        chance = [own.random(), made.getrandbits(9), made.choice("abc"), turn.random.random()]
        moment = time.gmtime(0)
        return [*chance, time.ctime(0), time.strftime("%H", moment), time.asctime(moment)]

    assert testing.run(main) == testing.run(main)


def test_what_libraries_do_is_their_affair() -> None:
    async def main() -> str:
        backoff = trido.Backoff(jitter=1.0)
        assert backoff.delay(1, 0.5) >= 0
        own = random.Random(3)
        return f"{own.random()} {os.getpid() > 0}"

    assert testing.run(main) == testing.run(main)
