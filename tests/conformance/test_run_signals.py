"""trido.run(): SIGTERM is an ordered stop, a second signal kills. Real processes and signals."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
import time
from collections.abc import Generator
from contextlib import contextmanager

import pytest
import trio

import trido
from tests.conformance.stage import raises

PROGRAM = """
import math, sys
import trio, trido
from trido import events

async def child(name, seconds):
    try:
        await trio.sleep_forever()
    finally:
        print("stopping", name, flush=True)
        with trido.cleanup():
            await trio.sleep(seconds)

def on_event(event):
    if isinstance(event, events.ChildStopped):
        print(event.id, event.outcome, flush=True)
    elif isinstance(event, events.SupervisorEnded):
        print("ended", event.outcome, flush=True)

async def main():
    children = [
        trido.ChildSpec(child, id, float(sys.argv[1]), id=id, shutdown=math.inf) for id in "ab"
    ]
    async with trido.open_supervisor(*children, observers=(on_event,)):
        await trio.sleep(0.05)
        print("ready", flush=True)
        await trio.sleep_forever()

trido.run(main)
print("over", flush=True)
"""


class _Program:
    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process
        self.lines: list[str] = []

    def until(self, line: str) -> None:
        assert self.process.stdout is not None
        for told in self.process.stdout:
            self.lines.append(told.strip())
            if self.lines[-1] == line:
                return
        raise AssertionError(f"{line!r} was never said: {self.lines}")

    def rest(self) -> list[str]:
        assert self.process.stdout is not None
        return [line.strip() for line in self.process.stdout]


@contextmanager
def program(cleanup: float) -> Generator[_Program]:
    command = [sys.executable, "-c", PROGRAM, str(cleanup)]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as process:
        # It has to end by itself long before this.
        guard = threading.Timer(20, process.kill)
        guard.start()
        try:
            one = _Program(process)
            one.until("ready")
            yield one
        finally:
            guard.cancel()
            process.kill()


@pytest.mark.real_time
def test_one_sigterm_is_an_ordered_stop() -> None:
    with program(0.1) as one:
        one.process.send_signal(signal.SIGTERM)
        assert one.rest() == [
            *["stopping b", "b stopped", "stopping a", "a stopped", "ended cancelled", "over"],
        ]
        assert one.process.wait() == 0


@pytest.mark.real_time
@pytest.mark.parametrize("second", [signal.SIGTERM, signal.SIGINT])
def test_a_second_signal_kills(second: signal.Signals) -> None:
    with program(100) as one:
        one.process.send_signal(signal.SIGTERM)
        one.until("stopping b")
        time.sleep(0.1)
        started = time.monotonic()
        one.process.send_signal(second)
        rest = one.rest()
        assert rest[:2] == ["b killed", "stopping a"] or rest[:2] == ["b killed", "a killed"]
        assert "a killed" in rest
        assert any(line.startswith("ended") for line in rest)
        one.process.wait()
        assert time.monotonic() - started < 10


@pytest.mark.real_time
@pytest.mark.parametrize("second", [signal.SIGTERM, signal.SIGINT])
def test_a_keyboard_interrupt_is_an_ordered_stop_and_the_next_signal_kills(
    second: signal.Signals,
) -> None:
    with program(100) as one:
        one.process.send_signal(signal.SIGINT)
        one.until("stopping b")
        time.sleep(0.1)
        one.process.send_signal(second)
        rest = one.rest()
        assert rest[0] == "b killed"
        assert "a killed" in rest
        assert "over" not in rest
        assert one.process.wait() != 0


@pytest.mark.real_time
def test_it_returns_and_raises_what_the_function_does() -> None:
    async def returns(value: int) -> int:
        await trio.lowlevel.checkpoint()
        return value

    async def fails(error: Exception) -> None:
        raise error

    before = signal.getsignal(signal.SIGTERM)
    assert trido.run(returns, 7) == 7
    error = ValueError()
    with raises(error):
        trido.run(fails, error)
    assert signal.getsignal(signal.SIGTERM) is before


@pytest.mark.real_time
def test_it_runs_outside_the_main_thread() -> None:
    results: list[object] = []

    async def returns() -> int:
        await trio.lowlevel.checkpoint()
        return 7

    thread = threading.Thread(target=lambda: results.append(trido.run(returns)))
    thread.start()
    thread.join()
    assert results == [7]
