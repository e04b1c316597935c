"""What came to light when the library was used, and used wrongly."""

from __future__ import annotations

import threading
from typing import Any

import pytest
import trio

import trido
from tests.runtime.desk import Log, agent, note


async def test_a_thread_cannot_cast_past_trio_and_leaves_nothing_half_sent() -> None:
    async with trido.open_supervisor(agent().spec(id="a")) as sup:
        ref = sup["a"].value
        told: list[RuntimeError] = []

        def cast() -> None:
            with pytest.raises(
                RuntimeError, match=r"agent 'a' .* trio\.from_thread\.run_sync"
            ) as info:
                ref.cast_nowait(note("lost"))
            told.append(info.value)

        thread = threading.Thread(target=cast)
        thread.start()
        thread.join()
        assert len(told) == 1
        assert ref.status().queued == 0
        assert await ref.call(note("1")) == Log(("1",))


@pytest.mark.real_time
async def test_a_thread_of_trio_s_casts_by_way_of_trio() -> None:
    async with trido.open_supervisor(agent().spec(id="a")) as sup:
        ref = sup["a"].value
        await trio.to_thread.run_sync(trio.from_thread.run_sync, ref.cast_nowait, note("1"))
        assert await ref.wait_for(lambda state: state.seen) == Log(("1",))


@pytest.mark.parametrize(
    ("returned", "rule"),
    [
        (trido.Stop(), "in a list or a tuple"),
        ([trido.Signal("x")], r"such as trido.Emit\(signal\)"),
        ([trido.Emit], r"such as trido.Emit\(signal\)"),
    ],
)
def test_what_is_no_directive_is_refused_with_the_way_out(returned: Any, rule: str) -> None:
    wrong = trido.Agent("wrong", state=Log)
    wrong.on("go", data=object)(lambda state, data: (state, returned))
    with pytest.raises(trido.InvalidDecision, match=rule):
        wrong.cmd(Log(), trido.Signal("go"))
