"""A Trio run that goes on only when it is told to: guest mode, in one thread, in virtual time.

The host is whoever tests: a state machine of Hypothesis, or a plain function. Between two steps
nothing runs; a step is carried out in the run, and then everything happens that can happen without
time passing.
"""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Awaitable, Callable
from contextlib import ExitStack
from typing import Any, Final, cast, final
from unittest.mock import patch

import outcome
import trio
from trio.testing import MockClock

from trido.testing import arguments
from trido.testing.plan_errors import NotReproducible
from trido.testing.schedule_guard import Guard

TICKS: Final = 100_000
"""What takes more to come to rest never will."""
RUN_CONTEXT: Final = cast("Any", trio._core._run.GLOBAL_RUN_CONTEXT)
"""Trio's own, which it has no public name for."""


@final
class GuestRun:
    """Run ``main`` in virtual time, step by step, in the order that ``seed`` decides.

    As under `run`, journals and ``Run(where="thread")`` do on the spot what they would do in a
    thread.
    It has run as far as it comes without time passing. There is one at a time in a thread, and no
    other run of Trio; `close` has it end.

    Args:
      main: an async function. Have it wait for what ends it.
      seed: what decides the order of tasks.
      guarded: whether to look out for what no seed decides. It makes the run several times slower.
    """

    def __init__(
        self, main: Callable[[], Awaitable[object]], *, seed: int, guarded: bool = False
    ) -> None:
        arguments.function("GuestRun", "main", main)
        arguments.seed("GuestRun", seed)
        self.clock: Final = MockClock()
        self.result: outcome.Outcome[object] | None = None
        """How it ended; None as long as it has not."""
        self._callbacks: deque[Callable[[], object]] = deque()
        self._idle: Callable[[outcome.Outcome[Any]], object] | None = None
        self._token: trio.lowlevel.TrioToken | None = None
        self._runner: Any = None
        self._patches = ExitStack()
        self._guard: Final = Guard(on=guarded)
        for name, value in {
            # When it has nothing to do, a guest run waits for the world in a thread. This world is
            # the host, so it just waits.
            "start_thread_soon": self._wait,
            # Hypothesis would have the same schedule every time.
            "_r": random.Random(seed),
            "_ALLOW_DETERMINISTIC_SCHEDULING": True,
        }.items():
            self._patches.enter_context(patch(f"trio._core._run.{name}", value))

        async def run() -> object:
            self._token = trio.lowlevel.current_trio_token()
            self._runner = RUN_CONTEXT.runner
            return await main()

        trio.lowlevel.start_guest_run(
            run,
            run_sync_soon_threadsafe=self._callbacks.append,
            done_callback=self._done,
            clock=self.clock,
            # One that had to be given up would leave its own behind.
            host_uses_signal_set_wakeup_fd=True,
        )
        self._settle()

    def _wait(
        self,
        fn: Callable[[], Any],
        deliver: Callable[[outcome.Outcome[Any]], object],
        name: str | None = None,
    ) -> None:
        self._idle = deliver

    def _done(self, result: outcome.Outcome[object]) -> None:
        self.result = result
        self._patches.close()

    def do(self, fn: Callable[[], object], *, ticks: int | None = None) -> None:
        """Call ``fn`` in the run, and let everything happen that follows from it at once.

        With ``ticks``, only so much of it; then the rest happens with what is done next.

        Raises:
          trio.RunFinishedError: the run has ended.
          AssertionError: it never comes to rest.
        """
        cast("trio.lowlevel.TrioToken", self._token).run_sync_soon(fn)
        self._go_on(ticks)

    def sleep(self, seconds: float, look: Callable[[], object] = lambda: None) -> None:
        """Let time pass, and stop at whatever is due on the way: there ``look`` is called."""
        end = self.clock.current_time() + seconds
        while self.result is None and (now := self.clock.current_time()) < end:
            due = self._runner.deadlines.next_deadline()
            self.clock.jump(max(min(due, end) - now, 0.0))
            self._go_on()
            look()

    def close(self, finish: Callable[[], object]) -> None:
        """Have the run end: ``finish`` is what its main task waits for.

        A run that does not end by that is given up, so that another can begin.

        Raises:
          NotReproducible: it used a thread, real time, or chance of its own.
          BaseException: whatever ``main`` raised.
        """
        with self._guard.told():
            if self.result is None:
                self.do(finish)
            if self.result is None:
                self._give_up()
            else:
                self.result.unwrap()

    def _go_on(self, ticks: int | None = None) -> None:
        idle, self._idle = self._idle, None
        if idle is not None:
            # Nobody waited for I/O: what woke the run is found by the next look at it.
            idle(outcome.Value([]))
        self._settle(ticks)

    @property
    def unreplayable(self) -> NotReproducible | None:
        """What it used that no seed decides, if anything was found. `close` raises it."""
        return self._guard.found

    def _settle(self, ticks: int | None = None) -> None:
        with self._guard:
            for _ in range(TICKS if ticks is None else ticks):
                if not self._callbacks:
                    return
                self._callbacks.popleft()()
        if ticks is None:
            self._give_up()
            raise AssertionError("it never comes to rest")

    def _give_up(self) -> None:
        """It must not cost others their runs."""
        RUN_CONTEXT.__dict__.clear()
        self._patches.close()
