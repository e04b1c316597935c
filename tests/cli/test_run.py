"""``trido run``: what runs, how it ends, and what is shown meanwhile."""

from __future__ import annotations

import io
import logging
import signal
from collections.abc import Generator
from contextlib import contextmanager
from typing import Any

import pytest
import trio
from rich.console import Console
from rich.text import Text
from trio.testing import MockClock

import trido as lib
from tests.cli.apps import Command, Said, Write
from trido.cli.run import logs, run_app
from trido.cli.watch import Spot, Watch, changes, drawing, look, places


@pytest.fixture(autouse=True)
def virtual_time(monkeypatch: pytest.MonkeyPatch) -> None:
    run = trio.run

    def run_in_virtual_time(*args: Any, **options: Any) -> Any:
        return run(*args, **{"clock": MockClock(autojump_threshold=0), **options})

    monkeypatch.setattr(trio, "run", run_in_virtual_time)


# What runs ------------------------------------------------------------------------------------

RUNS = {
    "a child": 'app = ChildSpec(once, id="job", restart="transient")',
    "an agent": """
        @frozen
        class Nothing: pass

        agent = trido.Agent(
            "agent", state=Nothing,
            schedules=[trido.Schedule(1.0, trido.Signal("enough"), key="enough")],
        )

        @agent.on("enough")
        def enough(state: Nothing, data: None):
            return state, [trido.Stop()]

        app = agent.spec(id="agent")
    """,
    "a supervisor": """
        app = SupervisorSpec(
            ChildSpec(once, restart="transient", significant=True), auto_shutdown="any_significant"
        )
    """,
    "a function": "async def app(): await once()",
    "a function of a runtime": """
        async def app(rt):
            assert rt.health().live
            await once()
    """,
    "a runtime": """
        @asynccontextmanager
        async def app():
            async with trido.open_runtime() as rt:
                rt.supervisor.stop()
                yield rt
    """,
    "a supervisor's block": """
        def app():
            return trido.open_supervisor(
                ChildSpec(once, restart="transient", significant=True),
                auto_shutdown="any_significant",
            )
    """,
}


@pytest.mark.parametrize("kind", RUNS)
@pytest.mark.parametrize("watch", ["", "--watch"])
def test_it_ends_with_0(kind: str, watch: str, trido: Command, write: Write) -> None:
    said = trido("run", write(RUNS[kind]), *watch.split())
    assert (said.code, said.out) == (0, "")
    shows = bool(watch) and kind != "a function"  # it opens no supervisor
    assert bool(said.err) is shows


# How it ends ----------------------------------------------------------------------------------

FAILS = {
    "app = ChildSpec(broken)": (1, "trido run: RestartLimitExceeded: ", False),
    "async def app(): 1 / 0": (1, "ZeroDivisionError: division by zero", True),
    "async def app(): raise SystemExit(7)": (7, "", False),
    "async def app(): raise SystemExit": (0, "", False),
    "async def app(): raise SystemExit('no more paper')": (1, "no more paper\n", False),
    """
    async def app():
        async with trio.open_nursery() as nursery:
            nursery.start_soon(broken)
            nursery.start_soon(once)
            raise SystemExit(3)
    """: (3, "", False),
}


@pytest.mark.parametrize("text", FAILS)
def test_how_it_fails_is_its_exit_code(text: str, trido: Command, write: Write) -> None:
    code, said, is_traceback = FAILS[text]
    found = trido("run", write(text))
    assert found.code == code
    assert said in found.err
    assert ("Traceback" in found.err) is is_traceback


def test_what_is_no_app(trido: Command, write: Write) -> None:
    assert trido("run", "nowhere:app") == Said(2, "", "trido run: there is no module 'nowhere'\n")
    name = write("""
        @asynccontextmanager
        async def app():
            yield 5
    """)
    assert trido("run", f"{name}:app") == Said(
        2,
        "",
        f"trido run: {name}:app gave what is of type int;"
        " it must yield a trido.Runtime or a trido.Supervisor\n",
    )


def test_what_passes_a_nursery_is_told_all_the_same(trido: Command, write: Write) -> None:
    name = write("""
        @asynccontextmanager
        async def app():
            async with trio.open_nursery():
                yield 5
    """)
    said = trido("run", name)
    assert (said.code, "gave what is of type int" in said.err) == (2, True)


@pytest.fixture
def sigint() -> Any:
    handler = signal.getsignal(signal.SIGINT)
    yield
    signal.signal(signal.SIGINT, handler)


STOPPED = """
import os, signal

async def app():
    async with trido.open_supervisor(ChildSpec(feed), ChildSpec(tidy)):
        os.kill(os.getpid(), signal.{signal})
        await trio.sleep_forever()

async def tidy(*, task_status):
    task_status.started()
    try:
        await trio.sleep_forever()
    finally:
        with trido.cleanup():
            await trio.sleep(1.0)
            print("tidied up")
"""


@pytest.mark.parametrize(("name", "code"), [("SIGTERM", 143), ("SIGINT", 130)])
@pytest.mark.usefixtures("sigint")
def test_a_signal_stops_it_in_order(name: str, code: int, trido: Command, write: Write) -> None:
    assert trido("run", write(STOPPED.format(signal=name))) == Said(code, "tidied up\n", "")


def test_a_second_signal_kills(trido: Command, write: Write) -> None:
    name = write("""
        import os, signal

        async def app():
            async with trido.open_supervisor(ChildSpec(stubborn, shutdown=3600.0)):
                os.kill(os.getpid(), signal.SIGTERM)
                await trio.sleep_forever()

        async def stubborn(*, task_status):
            task_status.started()
            try:
                await trio.sleep_forever()
            finally:
                os.kill(os.getpid(), signal.SIGTERM)
                with trido.cleanup():
                    await trio.sleep(1800.0)
                    print("tidied up")
    """)
    assert trido("run", name) == Said(143, "", "")


# The log --------------------------------------------------------------------------------------


@contextmanager
def nobody_logs() -> Generator[logging.Logger]:
    """Logging as in a fresh interpreter, which it is not while pytest listens."""
    root, ours = logging.getLogger(), logging.getLogger("trido")
    handlers, level = root.handlers, ours.level
    root.handlers = []
    ours.setLevel(logging.NOTSET)
    try:
        yield root
    finally:
        root.handlers = handlers
        ours.setLevel(level)


def test_the_log_is_on_stderr(trido: Command, write: Write) -> None:
    name = write(RUNS["a child"])
    with nobody_logs():
        said = trido("run", name, "--watch")
        assert "INFO child 'job' (run 1) of 'root' is running" in said.err
        assert "watch" not in said.err
        assert trido("run", name, "--log", "warning").err == ""
        assert trido("run", name, "--log", "off").err == ""


def test_the_log_stands_above_the_tree() -> None:
    console = Console(file=io.StringIO(), force_terminal=True, width=100)
    with nobody_logs() as root:
        with logs("info", console):
            logging.getLogger("trido").info("hello")
            assert root.level == logging.INFO
        assert root.handlers == []
    assert "hello" in console.file.getvalue()  # type: ignore[attr-defined]


# What is shown --------------------------------------------------------------------------------


def test_lines_tell_what_changes(trido: Command, write: Write) -> None:
    name = write("""
        async def worker():
            await trio.sleep(1.0)
            if trido.current_child().incarnation == 1:
                raise ConnectionError
            await trio.sleep(1.0)
            raise trido.Shutdown

        app = SupervisorSpec(
            SupervisorSpec(ChildSpec(worker, restart="transient", significant=True,
                                     backoff=trido.Backoff(min=1.0)),
                           id="inner", restart="transient", significant=True,
                           auto_shutdown="any_significant"),
            id="shop", auto_shutdown="any_significant",
        )
    """)
    said = trido("run", name, "--watch")
    lines = [line[10:] for line in said.err.splitlines()]
    assert said.code == 0
    assert "shop/inner/worker: running, run 1" in lines
    assert "shop/inner/worker: running, run 2" in lines
    assert lines.index("shop: running, run 1") < lines.index("shop/inner/worker: running, run 2")


async def test_a_live_tree_is_drawn() -> None:
    console = Console(file=io.StringIO(), force_terminal=True, width=80)
    watch = Watch(console)
    assert watch.is_live
    async with lib.open_supervisor(lib.ChildSpec(watch.run, id="watch"), id="trido run"):
        await trio.sleep(0.5)  # nothing yet
        async with lib.open_supervisor(lib.ChildSpec(trio.sleep_forever, id="feed"), id="shop"):
            await trio.sleep(1.0)
    shown = console.file.getvalue()  # type: ignore[attr-defined]
    assert "shop" in shown
    assert "feed" in shown
    assert "watch" not in shown
    assert "shop [one_for_one]  running, run 1" in Text.from_ansi(shown).plain
    _, _, last = Text.from_ansi(shown).plain.rpartition("shop")
    assert "feed  stopped, run 1" in last


async def test_agents_are_shown_with_what_waits_for_them() -> None:
    from attrs import frozen  # noqa: PLC0415

    @frozen
    class State:
        pass

    agent = lib.Agent("agent", state=State, children=[lib.ChildSpec(trio.sleep_forever, id="c")])

    @agent.on("slow")
    async def slow(state: State, data: None) -> State:
        await trio.sleep(10)
        return state

    async with lib.open_runtime(id="rt") as rt:
        ref = await rt.start_agent(agent, id="a")
        for _ in range(3):
            await ref.cast(slow.signal(None))
        await trio.sleep(0.1)
        (spot,) = look()
    (a,) = spot.below
    assert (a.id, a.waiting, [one.id for one in a.below]) == ("a", 2, ["c"])
    console = Console(file=io.StringIO(), width=80)
    console.print(drawing((spot,)))
    text = console.file.getvalue()  # type: ignore[attr-defined]
    assert "a [one_for_one]  running, run 1, 2 waiting" in text


def test_changes() -> None:
    def spot(id: str, run: int = 1) -> Spot:
        return Spot(id=id, state="running", run=run, restarts=run - 1)

    before = places((spot("a"), spot("b")))
    assert list(changes(before, before)) == []
    assert list(changes(before, places((spot("a", 2), spot("c"))))) == [
        "a: running, run 2",
        "c: running, run 1",
        "b: gone",
    ]


def test_options_of_trio_are_passed_on(write: Write) -> None:
    name = write("async def app(): await once()")
    assert run_app(name, watch=False, level="off", strict_exception_groups=True) == 0
