"""trido beside trio-typing: its stubs and its modules must not get in the way at run time.

Needs the extra ``trio-typing``, and is collected only where that is installed: a gate of its own.
"""

from importlib.metadata import version

import trio
import trio.testing

import trido


async def test_a_supervisor_runs_beside_trio_typing() -> None:
    runs: list[float] = []

    async def crash_once() -> None:
        runs.append(trio.current_time())
        if len(runs) == 1:
            raise ValueError
        await trio.sleep_forever()

    async with trido.open_supervisor(trido.ChildSpec(crash_once, id="child")) as supervisor:
        await trio.testing.wait_all_tasks_blocked()
        assert supervisor["child"].state == "running"
        assert len(runs) == 2

    assert version("trio-typing")
