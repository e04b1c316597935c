"""Real trees of supervisors on Trio, against the model of the rules, under drawn schedules."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import settings as profile
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    precondition,
    rule,
    run_state_machine_as_test,
)

import trido
from tests.faults.play import Play
from tests.faults.troupe import PARTS, TREES, Cast, Part
from trido.supervision import shell

DEEP = profile().max_examples > 100
PICK = st.integers(0, 11)
RARELY = st.integers(0, 11).map(lambda n: n == 11)

STEPS: Counter[str] = Counter()


@pytest.fixture(autouse=True)
def _judged(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shell, "Machine", Play.new_machine)


ACTS = st.lists(
    st.tuples(st.sampled_from(["crash", "return", "stop", "restart"]), PICK), min_size=2, max_size=4
)


def plays(self: SupervisorMachine) -> bool:
    return not self.play.is_over


def has_players(self: SupervisorMachine) -> bool:
    return bool(self.play.stage.alive)


class SupervisorMachine(RuleBasedStateMachine):
    play: Play

    @initialize(cast=TREES, seed=st.integers(0, 2**32))
    def begin(self, cast: Cast, seed: int) -> None:
        self.play = Play(cast, seed)
        STEPS["begin"] += 1

    @precondition(lambda self: self.play.is_over)
    @rule(cast=TREES, seed=st.integers(0, 2**32))
    def begin_again(self, cast: Cast, seed: int) -> None:
        self.play.end()
        self.begin(cast, seed)

    def step(self, word: str) -> None:
        STEPS[word] += not self.play.is_over

    # Children -------------------------------------------------------------------------------

    @precondition(has_players)
    @rule(pick=PICK, how=st.sampled_from(["crash", "crash", "return", "shutdown"]))
    def end_one(self, pick: int, how: str) -> None:
        self.step(how)
        players = self.play.players()
        player = players[pick % len(players)]
        others = {one: one.incarnation for one in players if one is not player}
        alone = self.play.restarts_alone(player)
        self.play.do(lambda: player.end(error_for(how)))
        if alone:
            untouched = self.play.players()
            assert all(one in untouched for one in others), "a sibling was touched"

    @precondition(has_players)
    @rule(pick=PICK, how=st.sampled_from(["escalate", "interrupt", "exit"]), really=RARELY)
    def end_gravely(self, pick: int, how: str, really: bool) -> None:  # noqa: FBT001
        if really:
            self.step(how)
            self.play.do(lambda: self.play.end_player(pick, error_for(how)))

    @precondition(has_players)
    @rule(acts=ACTS, part=PARTS)
    def at_once(self, acts: list[tuple[str, int]], part: Part) -> None:
        """All this in one tick: only the schedule says what comes first."""
        play = self.play

        def do() -> None:
            for what, pick in acts:
                if what in ("crash", "return"):
                    play.end_player(pick, error_for(what))
                else:
                    play.call(f"{what}_child", pick, part)

        self.step("at_once")
        play.do(do)

    # Callers --------------------------------------------------------------------------------

    @precondition(plays)
    @rule(
        asked=st.sampled_from(["stop_child", "restart_child", "delete_child", "start_child"]),
        pick=PICK,
        part=PARTS,
    )
    def call(self, asked: str, pick: int, part: Part) -> None:
        self.step(asked)
        self.play.do(lambda: self.play.call(asked, pick, part))

    @precondition(lambda self: any(not caller.answer for caller in self.play.callers))
    @rule(pick=PICK)
    def cancel_caller(self, pick: int) -> None:
        self.step("cancel_caller")
        self.play.do(lambda: self.play.cancel_caller(pick))

    # The whole ------------------------------------------------------------------------------

    @precondition(plays)
    @rule(seconds=st.sampled_from([0.25, 0.5, 1.0, 2.0, 6.0]))
    def sleep(self, seconds: float) -> None:
        self.step("sleep")
        self.play.sleep(seconds)

    @precondition(plays)
    @rule(
        how=st.sampled_from(["stop", "stop", "cancel", "return", "raise"]),
        pick=PICK,
        really=RARELY,
    )
    def stop(self, how: str, pick: int, really: bool) -> None:  # noqa: FBT001
        if not really:
            return
        self.step(f"block: {how}")
        play = self.play
        if how == "stop":
            play.do(lambda: play.stop(pick))
        elif how == "cancel":
            play.do(lambda: play.outer.cancel(reason="the test says so"))
        else:
            play.body_error = RuntimeError("the body") if how == "raise" else None
            play.do(play.body.set)

    def teardown(self) -> None:
        if hasattr(self, "play") and not self.play.has_ended:
            self.play.end()


def error_for(how: str) -> BaseException | None:
    match how:
        case "crash":
            return ValueError("told to")
        case "shutdown":
            return trido.Shutdown("told to")
        case "escalate":
            return trido.Escalate("told to")
        case "interrupt":
            return KeyboardInterrupt()
        case "exit":
            return SystemExit()
        case _:
            return None


# Derandomized but for the deep profile, as in the test of the decision alone.
SEARCH = profile(
    max_examples=500 if not DEEP else 50_000, stateful_step_count=40, derandomize=not DEEP
)


def test_trees_do_what_the_rules_say() -> None:
    STEPS.clear()
    run_state_machine_as_test(SupervisorMachine, settings=SEARCH)
    assert STEPS.total() >= 10_000, STEPS
