"""A state machine of Hypothesis that drives a real runtime, one step at a time.

It needs the extra ``trido[testing]``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, ClassVar, Final, cast

import trio
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    precondition,
    rule,
)

from trido.agents import Signal
from trido.agents.frozen import EMPTY
from trido.checks import flag
from trido.runtime.agent import Agent
from trido.runtime.opening import open_runtime
from trido.runtime.ref import AgentRef
from trido.runtime.runtime import Runtime
from trido.testing import arguments
from trido.testing.guest import GuestRun
from trido.testing.judging import Invariant, invariants, judge, plain
from trido.testing.plan_errors import InjectedCrash
from trido.testing.plan_faults import CodeFault
from trido.testing.plan_points import Time
from trido.testing.recorder import Recorder
from trido.testing.strategies import signals
from trido.testing.strategies.values import Types

STOPS_WITHIN: Final = 1000.0
"""How many seconds a runtime may take to end."""


class Conversation:
    """A call that the machine has made."""

    def __init__(self, id: str, signal: Signal) -> None:
        self.id: str = id
        self.signal: Signal = signal
        self.scope: trio.CancelScope = trio.CancelScope()
        self.answer: Any = None
        """What came back, if anything did."""
        self.error: BaseException | None = None
        """What was raised instead."""
        self.is_over: bool = False

    def __repr__(self) -> str:
        return f"<call of {self.id!r}: {self.signal!r}>"


class RuntimeMachine(RuleBasedStateMachine):
    """Drives a runtime of ``agents`` on Trio in virtual time, with steps that Hypothesis draws.

    The steps: send a signal, call, cancel a call, crash an agent, let time pass. Between them
    nothing runs. After each everything happens that can happen without time passing, and then what
    should always hold is checked; once more, with what should hold in the end, when the runtime has
    been stopped. What fails is shrunk to the fewest and plainest steps.

    Subclass it to say what it is about, and to add rules of one's own; ``Machine.TestCase`` is the
    test. Without more than that, `runtime_machine` makes one.

    With Python 3.11, Hypothesis takes long to explain what it has shrunk: settings with
    ``phases=[Phase.generate, Phase.shrink]`` leave that out.
    """

    agents: ClassVar[Mapping[str, Agent[Any]]] = EMPTY
    """What runs, by its id."""
    always: ClassVar[Sequence[Invariant]] = ()
    """What holds after each step."""
    in_the_end: ClassVar[Sequence[Invariant]] = ()
    """What holds once all has ended."""
    options: Mapping[str, Any] = EMPTY
    """What `trido.open_runtime` is given besides. A journal has to be new for each run: have
    ``__init__`` say ``self.options = {"journal": trido.MemoryJournal(), ...}``."""
    types: ClassVar[Types | None] = None
    """Strategies for classes that cannot be told how to build, as for ``values``."""
    crashes: ClassVar[bool] = True
    """Whether agents are crashed."""
    guarded: ClassVar[bool] = True
    """Whether to look out for what no seed decides. It makes each step several times slower."""

    rt: Runtime
    """The runtime."""
    recorder: Recorder
    """What has happened so far."""

    def __init__(self) -> None:
        super().__init__()
        of = type(self).__name__
        arguments.agents(of, self.agents)
        invariants(of, "always", self.always)
        invariants(of, "in_the_end", self.in_the_end)
        plain(of, "holds", self.holds)
        plain(of, "holds_in_the_end", self.holds_in_the_end)
        self.calls: list[Conversation] = []
        """The calls that were made, in order."""
        self._run: GuestRun | None = None
        self._faults: list[BaseException] = []

    # The run --------------------------------------------------------------------------------

    @initialize(seed=st.integers(0, 2**32))
    def begin(self, seed: int) -> None:
        """Open the runtime and start its agents, in the order of ``seed``."""
        self.recorder = Recorder()
        run = GuestRun(self._main, seed=seed, guarded=self.guarded)
        if run.result is not None:
            run.close(lambda: None)
        self._run = run
        self.do(lambda: None)

    async def _main(self) -> None:
        self._body = trio.Event()
        with self.recorder:
            async with open_runtime(**self.options) as self.rt:
                for id, agent in self.agents.items():
                    await self.rt.start_agent(agent, id=id)
                async with trio.open_nursery() as self._nursery:
                    await self._body.wait()
                    self._nursery.cancel_scope.cancel(reason="nobody waits for answers any more")

    def do(self, fn: Callable[[], object]) -> None:
        """Call ``fn`` in the run, and let everything happen that follows from it at once.

        Then check what always holds.

        Raises:
          AssertionError: it does not.
          NotReproducible: something uses a thread, real time, or chance of its own.
          BaseException: whatever ``fn`` raises, or has ended the runtime.
        """
        run = self._run
        if run is None:
            raise RuntimeError("no runtime is open: this is for rules, and for what they call")
        for one in (fn, self._check):
            if run.result is None:
                run.do(partial(self._guarded, one))
            if run.result is not None:  # something has ended it
                self._run = None
            if run.unreplayable is not None:
                raise run.unreplayable
            for error in self._faults:
                raise error
            if run.result is not None:
                run.close(lambda: None)

    def _guarded(self, fn: Callable[[], object]) -> None:
        try:
            fn()
        except BaseException as error:  # noqa: ASYNC103  # raised by `do`, outside of the run
            self._faults.append(error)

    def ref(self, id: str) -> AgentRef[Any]:
        """The agent of this id."""
        return self.rt.agent(id)

    # What is drawn --------------------------------------------------------------------------

    def draw_id(self, data: st.DataObject) -> str:
        """One of the agents."""
        return data.draw(st.sampled_from(list(self.agents)), label="agent")

    def draw_signal(self, data: st.DataObject, id: str) -> Signal:
        """A signal that it takes."""
        return data.draw(signals(self.agents[id], types=self.types), label="signal")

    # The steps ------------------------------------------------------------------------------

    @rule(data=st.data())
    def send(self, data: st.DataObject) -> None:
        """Cast a signal to an agent."""
        id = self.draw_id(data)
        signal = self.draw_signal(data, id)
        self.do(lambda: self._nursery.start_soon(self._cast, id, signal))

    async def _cast(self, id: str, signal: Signal) -> None:
        await self.ref(id).cast(signal)

    @rule(data=st.data())
    def call(self, data: st.DataObject) -> None:
        """Call an agent, and go on without waiting for the answer."""
        id = self.draw_id(data)
        call = Conversation(id, self.draw_signal(data, id))
        self.calls.append(call)
        self.do(lambda: self._nursery.start_soon(self._call, call))

    async def _call(self, call: Conversation) -> None:
        with call.scope:
            try:
                call.answer = await self.ref(call.id).call(call.signal)
            except Exception as error:
                call.error = error
        call.is_over = True

    @precondition(lambda self: any(not one.is_over for one in self.calls))
    @rule(data=st.data())
    def cancel(self, data: st.DataObject) -> None:
        """Cancel one of the calls that wait for an answer."""
        waiting = [one for one in self.calls if not one.is_over]
        call = data.draw(st.sampled_from(waiting), label="call")
        self.do(call.scope.cancel)

    @precondition(lambda self: self.crashes)
    @rule(data=st.data())
    def crash(self, data: st.DataObject) -> None:
        """Crash an agent, wherever it is."""
        id = self.draw_id(data)
        self.do(lambda: self.ref(id).place.crash(_crash_of(id)))

    @rule(seconds=st.sampled_from([1.0, 0.1, 10.0, 100.0]))
    def advance(self, seconds: float) -> None:
        """Let time pass."""
        run = cast("GuestRun", self._run)
        run.sleep(seconds)
        self.do(lambda: None)

    # What holds -----------------------------------------------------------------------------

    def _check(self) -> None:
        self._judge("always", self.always, "holds", self.holds)

    def _judge(
        self,
        field: str,
        invariants: Sequence[Invariant],
        own: str,
        holds: Callable[[], object],
    ) -> None:
        of, record = type(self).__name__, self.recorder
        for one in invariants:
            judge(of, field, one, record, about=record)
        judge(of, own, holds, about=record)

    def holds(self) -> object:
        """Checked after each step: override it, and raise what is wrong, or return what is false.

        To return None is to hold. It is a plain method: it is not awaited.
        """
        return None

    def holds_in_the_end(self) -> object:
        """Checked once all has ended: override it, as `holds`."""
        return None

    def teardown(self) -> None:
        """Stop the runtime, and check what should hold in the end."""
        run, self._run = self._run, None
        if run is None:
            return
        run.do(self._body.set)
        run.sleep(STOPS_WITHIN)
        if run.result is None:
            run.sleep(100 * STOPS_WITHIN)
            run.close(lambda: None)
            raise AssertionError(f"the runtime did not end within {STOPS_WITHIN:g} s")
        run.close(lambda: None)
        self._judge("in_the_end", self.in_the_end, "holds_in_the_end", self.holds_in_the_end)


def _crash_of(id: str) -> InjectedCrash:
    return InjectedCrash(CodeFault("crash", id, Time(trio.current_time())))


def runtime_machine(
    agents: Mapping[str, Agent[Any]],
    *,
    always: Sequence[Invariant] = (),
    in_the_end: Sequence[Invariant] = (),
    types: Types | None = None,
    crashes: bool = True,
    guarded: bool = True,
    **options: Any,
) -> type[RuntimeMachine]:
    """A `RuntimeMachine` of these agents.

    ``TestCounter = runtime_machine({"a": counter}, in_the_end=[nothing_lost]).TestCase``

    Args:
      agents: what runs, by its id.
      always: what holds after each step.
      in_the_end: what holds once all has ended.
      types: as for ``values``.
      crashes: whether agents are crashed.
      guarded: whether to look out for what no seed decides.
      **options: what `trido.open_runtime` is given besides.

    Raises:
      SpecError: one of these is not what it may be.
    """
    of = "runtime_machine"
    arguments.agents(of, agents)
    arguments.types(of, types)
    flag(of, "crashes", crashes)
    flag(of, "guarded", guarded)
    said = {
        "agents": dict(agents),
        "always": invariants(of, "always", always),
        "in_the_end": invariants(of, "in_the_end", in_the_end),
    }
    more = {"types": types, "crashes": crashes, "guarded": guarded, "options": options}
    return type("RuntimeMachine", (RuntimeMachine,), {**said, **more})
