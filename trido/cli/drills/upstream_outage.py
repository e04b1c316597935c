"""What an agent needs from outside does not answer."""

from __future__ import annotations

from typing import Final

import trio
from attrs import Factory, define, evolve, frozen

from trido.agents import Action, Breaker, Decision, DeferReply, Reply, Run, RunFailed, Signal, Turn
from trido.agents import action as named
from trido.cli.drills.judge import Figures, at_most
from trido.cli.drills.kit import Drill
from trido.runtime import Agent, AgentRef, open_runtime
from trido.supervision import ChildSpec, open_supervisor

OUTAGE: Final = 60.0
_PAUSE: Final = 0.5


@frozen
class Ask:
    """What the upstream is asked, and for whom."""

    request: str | None


@frozen
class Answer:
    """What it says."""

    text: str
    request: str | None


@frozen
class Count:
    """What an agent remembers."""

    number: int = 0


@define(eq=False)
class Upstream:
    """It answers at once, or not at all."""

    timeout: float = 1.0
    policies: tuple[Breaker, ...] = (Breaker(failures=3, within=60.0, open_for=10.0),)
    is_up: bool = True
    asked: int = 0
    answers: list[str] = Factory(list)
    slowest_answer: float = 0.0
    slowest_click: float = 0.0

    def look_up(self) -> Action[Ask, Answer]:
        """The action that asks it."""

        @named("upstream.look_up", timeout=self.timeout, policies=self.policies)
        async def look_up(ask: Ask) -> Answer:
            self.asked += 1
            if not self.is_up:
                await trio.sleep_forever()
            return Answer("fresh", ask.request)

        return look_up

    async def ask(self, ref: AgentRef[Count]) -> str:
        """Have the agent ask it, and say what came of it."""
        began = trio.current_time()
        try:
            text: str = await ref.call(Signal("ask"))
        finally:
            self.slowest_answer = max(self.slowest_answer, trio.current_time() - began)
        return text

    async def click(self, ref: AgentRef[Count]) -> None:
        """Use the other agent again and again."""
        while True:
            began = trio.current_time()
            await ref.call(Signal("click"))
            self.slowest_click = max(self.slowest_click, trio.current_time() - began)
            await trio.sleep(0.05)


def asking(look_up: Action[Ask, Answer]) -> Agent[Count]:
    """The agent that needs the upstream."""
    agent = Agent("asking", state=Count)

    @agent.on("ask")
    def ask(state: Count, data: None, turn: Turn) -> Decision[Count]:
        run = Run(look_up, Ask(turn.request), ok="answered", error="failed")
        return state, [DeferReply(), run]

    @agent.on("answered")
    def answered(state: Count, answer: Answer) -> Decision[Count]:
        new = evolve(state, number=state.number + 1)
        return new, [Reply(answer.text, to=answer.request)]

    @agent.on("failed")
    def failed(state: Count, error: RunFailed) -> Decision[Count]:
        return state, [Reply("none", to=error.params.request)]

    return agent


clicks: Final = Agent("clicks", state=Count)


@clicks.on("click")
def click(state: Count, data: None) -> Count:
    """Count one."""
    return evolve(state, number=state.number + 1)


def example() -> Upstream:
    """It is asked for a second at most, and not at all once it has failed three times."""
    return Upstream()


async def run(upstream: Upstream) -> Figures:
    """Take it away for a while, and ask on."""
    async with open_runtime() as runtime:
        ref = await runtime.start_agent(asking(upstream.look_up()), id="asking")
        other = await runtime.start_agent(clicks, id="clicks")
        async with open_supervisor(ChildSpec(upstream.click, other)):
            await upstream.ask(ref)
            upstream.asked, upstream.is_up = 0, False
            with trio.move_on_after(OUTAGE):
                while True:
                    await upstream.ask(ref)
                    await trio.sleep(_PAUSE)
            during, upstream.is_up, began = upstream.asked, True, trio.current_time()
            with trio.move_on_after(OUTAGE):
                while await upstream.ask(ref) != "fresh":  # noqa: ASYNC110  # it tries
                    await trio.sleep(_PAUSE)
            recovered = trio.current_time() - began
    return {
        "attempts during the outage": during,
        "seconds until an answer, at worst": upstream.slowest_answer,
        "seconds until another agent answered, at worst": upstream.slowest_click,
        "seconds until fresh answers, afterwards": recovered,
    }


DRILL = Drill(
    name="upstream-outage",
    does=f"what an agent needs from outside does not answer for {OUTAGE:g} s",
    protection="a timeout and a breaker of the action",
    limits=(
        at_most("attempts during the outage", 12),
        at_most("seconds until an answer, at worst", 1.5),
        at_most("seconds until another agent answered, at worst", 0.1),
        at_most("seconds until fresh answers, afterwards", 15.0),
    ),
    run=run,
    example=example,
)
