"""Every drill: passed on what trido ships, and failed without the protection that it names."""

from __future__ import annotations

import itertools
import json
import math
import runpy
import signal
import sqlite3
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import trio
from attrs import evolve, frozen
from trio.testing import MockClock

import trido as lib
from tests.cli.apps import Command, Said, Write
from trido.cli import till
from trido.cli.drills import DRILLS, herd, kill_9, poison, shutdown_under_load, upstream_outage
from trido.cli.drills.judge import at_least, at_most, judge
from trido.cli.drills.kit import Drill, carry_out
from trido.cli.drills.storage_outage import Bank
from trido.cli.kinds import Context, Function, Tree
from trido.cli.load import UserError

pytestmark = pytest.mark.real_time


@frozen
class Nothing:
    pass


def failed(name: str, subject: Any) -> set[str]:
    """The figures that are beyond their limits."""
    drill = evolve(DRILLS[name], example=subject)
    verdict = carry_out(drill)
    assert verdict.passed is (verdict.trouble is None and all(c.passed for c in verdict.checks))
    return {one.limit.figure for one in verdict.checks if not one.passed}


def sleeper(id: str, **options: Any) -> lib.ChildSpec[Any]:
    return lib.ChildSpec(trio.sleep_forever, id=id, **options)


def tree(*children: lib.Spec[Any], **options: Any) -> Any:
    return lambda: Tree(lib.SupervisorSpec(*children, **options))


@pytest.mark.parametrize("name", DRILLS)
def test_the_shipped_example_passes(name: str, trido: Command) -> None:
    said = trido("drill", name)
    assert said.code == 0, said.out
    assert said.out.startswith(f"pass  {name}: ")
    assert said.err == ""


# Without what protects ------------------------------------------------------------------------


def test_without_a_restart_nobody_is_back_after_a_crash() -> None:
    assert failed("crash", tree(sleeper("feed"), max_restarts=0)) == {
        "of them not back",
        "supervisors that gave up",
    }
    inner = lib.SupervisorSpec(
        sleeper("a"), sleeper("b"), id="inner", max_restarts=0, restart="transient"
    )
    assert failed("crash", tree(inner)) == {
        "children that could not be crashed",
        "of them not back",
        "supervisors that gave up",
    }
    assert failed("crash", tree(sleeper("feed", restart="temporary"))) == {"children that crashed"}


def test_who_is_not_meant_to_come_back_is_not_crashed() -> None:
    picky = [
        sleeper("a", restart="temporary"),
        sleeper("b", restart_on=ConnectionError),
        sleeper("c", escalate_on=Exception),
        sleeper("d"),
    ]
    assert failed("crash", tree(*picky)) == set()


@pytest.mark.parametrize("strategy", ["one_for_one", "rest_for_one", "one_for_all"])
def test_who_is_under_a_supervisor_that_was_started_anew_is_crashed_too(strategy: str) -> None:
    frail = lib.SupervisorSpec(sleeper("eu"), id="feeds", max_restarts=0)
    assert failed("crash", tree(sleeper("first"), frail, strategy=strategy)) == {
        "of them not back",
        "supervisors that gave up",
    }
    sound = lib.SupervisorSpec(sleeper("eu"), sleeper("us"), id="feeds")
    verdict = carry_out(evolve(DRILLS["crash"], example=tree(sleeper("first"), sound)))
    assert (verdict.passed, verdict.checks[0].found) == (True, 3)


def test_who_cannot_be_crashed_is_told_of() -> None:
    runs = itertools.count()

    async def ready_once(*, task_status: trio.TaskStatus[None]) -> None:
        if next(runs) == 0:
            task_status.started()
        await trio.sleep_forever()

    async def short() -> None:
        await trio.sleep(0.001)

    never = lib.SupervisorSpec(lib.ChildSpec(ready_once, start_timeout=math.inf), id="inner")
    assert "children that could not be crashed" in failed(
        "crash", tree(sleeper("first"), never, strategy="rest_for_one")
    )
    first = sleeper("first", backoff=lib.Backoff(min=0.1))
    ended = lib.ChildSpec(short, restart="transient")
    assert failed("crash", tree(first, ended)) == {"children that could not be crashed"}


def test_many_children_are_crashed_one_after_the_other() -> None:
    many = [sleeper(f"feed-{n}") for n in range(10)]
    assert failed("crash", tree(*many)) == set()


def test_without_a_limit_a_storm_has_no_end() -> None:
    endless = tree(sleeper("printer"), sleeper("phone"), max_restarts=math.inf)
    assert failed("crash-storm", endless) == {"crashes", "ends of the storm"}
    assert failed("crash-storm", tree()) == {"crashes", "ends of the storm"}


def test_without_a_breaker_the_upstream_is_asked_on_and_on() -> None:
    without = upstream_outage.Upstream(policies=())
    assert failed("upstream-outage", lambda: without) == {"attempts during the outage"}


def test_without_a_timeout_nobody_is_answered() -> None:
    without = upstream_outage.Upstream(timeout=math.inf, policies=())
    assert failed("upstream-outage", lambda: without) == {
        "seconds until an answer, at worst",
    }


def test_without_a_check_malformed_data_crashes_an_agent() -> None:
    trusting = lib.Agent("trusting", state=Nothing)

    @trusting.on("add", check=False)
    def add(state: Nothing, data: int) -> Nothing:
        return [state][1 + data]

    @trusting.on("anything")
    def anything(state: Nothing, data: object) -> Nothing:
        return state

    @trusting.on("any.*")
    def pattern(state: Nothing, data: None) -> Nothing:
        return state

    assert failed("malformed-flood", tree(trusting.spec(id="a"), max_restarts=math.inf)) == {
        "of them accepted",
        "crashes",
    }


def test_without_a_watchdog_nobody_is_told_of_a_hot_loop() -> None:
    assert failed("hot-loop", lambda: Context(lib.open_runtime())) == {"times it was told of"}


def test_without_jitter_all_come_back_at_once() -> None:
    same = lib.Backoff(min=1.0, max=8.0)
    assert "attempts in the busiest tenth of a second" in failed(
        "herd", lambda: herd.Upstream(same)
    )


def test_without_a_limit_nothing_escalates() -> None:
    inner = lib.SupervisorSpec(sleeper("eu"), id="feeds", max_restarts=math.inf)
    assert failed("escalation", tree(inner)) == {
        "crashes until it escalated",
        "supervisors that were started anew",
    }


@pytest.mark.parametrize("strategy", ["rest_for_one", "one_for_all"])
def test_a_wider_strategy_may_restart_others_when_it_escalates(strategy: str) -> None:
    inner = lib.SupervisorSpec(sleeper("eu"), id="feeds", max_restarts=1)
    assert failed("escalation", tree(inner, sleeper("web"), strategy=strategy)) == set()


def test_above_one_that_gives_up_there_must_be_one_that_does_not() -> None:
    inner = lib.SupervisorSpec(sleeper("eu"), id="feeds", max_restarts=1)
    assert failed("escalation", tree(inner, max_restarts=0)) == {
        "supervisors that were started anew",
        "roots that gave up",
    }


def test_without_an_end_of_its_tries_poison_kills_on() -> None:
    assert failed("poison", lambda: poison.reader.spec(id="reader", redeliver=100)) == {
        "tries of the bad letter",
        "dead letters",
        "good letters that were read",
        "supervisors that gave up",
    }


def test_without_time_to_say_goodbye_children_are_killed() -> None:
    def short() -> Tree:
        return Tree(shutdown_under_load.shop(shutdown=0.1))

    assert failed("shutdown-under-load", short) == {"children that were killed"}


def test_without_an_end_of_its_grace_a_child_holds_up_the_stop() -> None:
    async def stubborn() -> None:
        try:
            await trio.sleep_forever()
        finally:
            with trio.CancelScope(shield=True):
                await trio.sleep(3600)

    endless = tree(lib.ChildSpec(stubborn, shutdown=math.inf))
    assert "seconds until it had stopped" in failed("shutdown-under-load", endless)


def test_without_a_journal_what_was_answered_is_forgotten() -> None:
    assert failed("storage-outage", lambda: Bank(durability="none")) == {
        "payments that were refused during the outage",
        "payments that were answered and forgotten",
    }


def test_without_the_id_of_the_directive_an_order_is_charged_twice(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(kill_9, "LIVES", 2)
    assert "orders that were charged twice" in failed(
        "kill-9", lambda: kill_9.Shop(delivery="idempotent")
    )


# The till that is killed, in one piece --------------------------------------------------------


@pytest.mark.parametrize("delivery", ["keyed", "idempotent"])
def test_a_till_that_nobody_kills_charges_all(
    delivery: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    clock = MockClock(rate=100.0)
    monkeypatch.setattr(till, "run", lambda *args: lib.run(*args, clock=clock))
    till.main(str(tmp_path), "2", delivery)  # type: ignore[arg-type]
    assert capsys.readouterr().out == "charged order-0\ncharged order-1\n"
    with closing(sqlite3.connect(tmp_path / "bank")) as connection:
        assert connection.execute("SELECT count(*) FROM charges").fetchone() == (2,)


def test_a_bank_that_knows_an_id_charges_nobody_twice(tmp_path: Path, capsys: Any) -> None:
    async def a_life() -> None:
        await till.charge_all(tmp_path, 1, "keyed")

    trio.run(a_life, clock=MockClock(rate=100.0))
    assert capsys.readouterr().out == "charged order-0\n"
    for file in tmp_path.glob("till.db*"):
        file.unlink()
    trio.run(a_life, clock=MockClock(rate=100.0))
    assert capsys.readouterr().out == ""


def test_the_till_is_a_program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.argv", ["till", str(tmp_path), "0", "keyed"])
    monkeypatch.delitem(sys.modules, "trido.cli.till")
    runpy.run_module("trido.cli.till", run_name="__main__")
    assert (tmp_path / "till.db").exists()


def test_a_till_that_says_nothing_is_killed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kill_9, "_WITHIN", 0.0)
    assert carry_out(DRILLS["kill-9"]).trouble == "TooSlowError"


# On an app of one's own -----------------------------------------------------------------------

SHOP = """
@frozen
class State: pass

desk = trido.Agent("desk", state=State)

@desk.on("serve")
def serve(state: State, data: int) -> State:
    return state

app = SupervisorSpec(
    ChildSpec(feed),
    SupervisorSpec(desk.spec(id="desk"), id="inner", max_restarts=1, max_seconds=0.1),
    id="shop", max_restarts=100,
)

@asynccontextmanager
async def runtime():
    async with trido.open_runtime(watchdog=0.05) as rt:
        await rt.start_agent(desk, id="desk", backoff=None)
        yield rt

together = SupervisorSpec(ChildSpec(feed), strategy="one_for_all", max_restarts=1, max_seconds=0.1)

def block(): return trido.open_supervisor(spec=app)

async def function(): ...
"""


def test_what_passes_a_nursery_is_the_same_outside(trido: Command, write: Write) -> None:
    name = write("""
        tree = SupervisorSpec(ChildSpec(feed), max_restarts=1)

        @asynccontextmanager
        async def app():
            async with trio.open_nursery(), trido.open_supervisor(spec=tree) as supervisor:
                yield supervisor
    """)
    said = trido("drill", "crash-storm", name)
    assert said.code == 0, said.out
    assert trido("drill", "malformed-flood", name).code == 2


@pytest.fixture
def little_work(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutdown_under_load, "WORK", 0.05)


@pytest.mark.usefixtures("little_work")
@pytest.mark.parametrize(
    ("name", "attribute", "code"),
    [
        ("crash", "app", 0),
        ("crash-storm", "runtime", 0),
        ("crash-storm", "app", 1),
        ("crash-storm", "together", 0),
        ("crash", "together", 0),
        ("escalation", "block", 0),
        ("malformed-flood", "runtime", 0),
        ("shutdown-under-load", "runtime", 0),
        ("hot-loop", "runtime", 0),
    ],
)
def test_an_app_can_be_drilled(
    name: str,
    attribute: str,
    code: int,
    trido: Command,
    write: Write,
) -> None:
    said = trido("drill", name, f"{write(SHOP)}:{attribute}", "--json")
    assert said.code == code, said.out
    (verdict,) = json.loads(said.out)["drills"]
    assert verdict["passed"] is (code == 0)


@pytest.mark.usefixtures("little_work")
@pytest.mark.parametrize("name", ["crash", "crash-storm", "malformed-flood", "shutdown-under-load"])
def test_the_support_desk_bears_what_is_drilled(name: str, trido: Command) -> None:
    example = Path(__file__).parents[2] / "examples" / "support_desk.py"
    said = trido("drill", name, f"{example}:desk")
    assert said.code == 0, said.out


@pytest.mark.parametrize(
    ("name", "attribute", "said"),
    [
        ("hot-loop", "app", "the app is no runtime: name what opens one by async with"),
        ("crash", "function", "it cannot be seen what runs in an async function: name a spec"),
        (
            "kill-9",
            "app",
            "takes no app; on an app there are crash, ",
        ),
        ("crash", "ap", "has no 'ap'; did you mean 'app'?"),
        ("crush", "app", "there is no drill 'crush'; did you mean 'crash'?"),
        ("x", "app", "there is no drill 'x'; there are crash, crash-storm, "),
    ],
)
def test_what_cannot_be_drilled(
    name: str, attribute: str, said: str, trido: Command, write: Write
) -> None:
    found = trido("drill", name, f"{write(SHOP)}:{attribute}")
    assert (found.code, found.out) == (2, "")
    assert said in found.err


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("escalation", "the app has no supervisor in another"),
        ("malformed-flood", "the app has no agents"),
    ],
)
def test_an_app_that_has_not_what_a_drill_is_about(
    name: str, said: str, trido: Command, write: Write
) -> None:
    found = trido("drill", name, write("app = SupervisorSpec(ChildSpec(feed))"))
    assert (found.code, said in found.err) == (2, True)


def test_an_app_that_gives_up_before_it_is_ready_is_told_of(trido: Command, write: Write) -> None:
    name = write("""
        @asynccontextmanager
        async def app():
            raise trido.RestartLimitExceeded("root", "feed", "crashed")
            yield
    """)
    said = trido("drill", "crash", name)
    assert said.code == 1
    assert "    ! " in said.out


# The command ----------------------------------------------------------------------------------


def test_without_a_name_they_are_listed(trido: Command) -> None:
    said = trido("drill")
    assert said.code == 0
    assert [line.split()[0] for line in said.out.splitlines()] == list(DRILLS)
    listed = json.loads(trido("drill", "--json").out)
    assert listed[0]["limits"][0] == {"figure": "children that crashed", "at_least": 1}


@pytest.fixture
def drills(monkeypatch: pytest.MonkeyPatch) -> dict[str, Drill]:
    """In place of those there are: a good one, and bad ones."""

    async def run(figures: dict[str, float]) -> dict[str, float]:
        await trio.lowlevel.checkpoint()
        return figures

    good = Drill(
        name="good",
        does="nothing",
        protection="nothing",
        limits=(at_most("crashes", 1),),
        run=run,
        example=lambda: {"crashes": 1},
    )

    async def broken(subject: object) -> dict[str, float]:
        await trio.lowlevel.checkpoint()
        raise ConnectionError("no network")

    async def interrupted(subject: object) -> dict[str, float]:
        await trio.lowlevel.checkpoint()
        raise KeyboardInterrupt

    drills = {
        "good": good,
        "bad": evolve(good, name="bad", example=lambda: {"crashes": 2}),
        "broken": evolve(good, name="broken", run=broken),
        "interrupted": evolve(good, name="interrupted", run=interrupted),
    }
    monkeypatch.setattr("trido.cli.drill.DRILLS", drills)
    return drills


def test_all_of_them(drills: dict[str, Drill], trido: Command) -> None:
    assert trido("drill", "interrupted").code == 130
    del drills["interrupted"]
    assert trido("drill", "--all") == Said(
        1,
        "pass  good: nothing\n"
        "      crashes: 1 (at most 1)\n"
        "FAIL  bad: nothing\n"
        "    ! crashes: 2 (at most 1)\n"
        "      what helps: nothing\n"
        "FAIL  broken: nothing\n"
        "    ! crashes: ? (at most 1)\n"
        "    ! ConnectionError: no network\n"
        "      what helps: nothing\n"
        "1 of 3 drills passed\n",
        "",
    )
    said = json.loads(trido("drill", "--all", "--json").out)
    assert said["passed"] == 1
    assert said["drills"][1]["checks"] == [
        {"figure": "crashes", "found": 2, "at_most": 1, "passed": False}
    ]
    assert trido("drill", "good", "--all") == Said(
        2, "", "trido drill: say --all or 'good', not both\n"
    )


def test_sigterm_ends_it_without_a_verdict(drills: dict[str, Drill], trido: Command) -> None:
    async def terminated(subject: object) -> dict[str, float]:
        signal.raise_signal(signal.SIGTERM)
        await trio.sleep_forever()
        return {}  # pragma: no cover - it is cancelled

    drills["terminated"] = evolve(drills["good"], name="terminated", run=terminated)
    drills["after"] = evolve(drills["good"], name="after")
    del drills["interrupted"], drills["bad"], drills["broken"]
    said = trido("drill", "--all")
    assert said == Said(143, "pass  good: nothing\n      crashes: 1 (at most 1)\n", "")


def test_all_that_can_be_are_carried_out_on_an_app(
    trido: Command, write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    drills = {name: DRILLS[name] for name in ("crash", "escalation", "poison")}
    monkeypatch.setattr("trido.cli.drill.DRILLS", drills)
    name = write("app = SupervisorSpec(ChildSpec(feed))")
    said = trido("drill", "--all", name)
    assert said.code == 0
    assert said.out.startswith("pass  crash: ")
    assert said.out.endswith(
        "left out  escalation: the app has no supervisor in another: nothing can escalate to it\n"
        "1 of 1 drills passed\n"
    )
    found = json.loads(trido("drill", "--all", name, "--json").out)
    assert (found["passed"], [*found["left_out"]]) == (1, ["escalation"])
    assert trido("drill", "--all", "nowhere:app") == Said(
        2, "", "trido drill: there is no module 'nowhere'\n"
    )


def test_the_judge() -> None:
    limits = (at_least("a", 1), at_most("b", 1))
    assert judge("x", limits, {"a": 1, "b": 1}).passed
    assert not judge("x", limits, {"a": 0, "b": 1}).passed
    assert not judge("x", limits, {"a": 1, "b": 2}).passed
    assert not judge("x", limits, {"a": 1}).passed
    assert not judge("x", limits, {"a": 1, "b": 1}, trouble="it burnt down").passed


def test_a_drill_has_an_end(monkeypatch: pytest.MonkeyPatch) -> None:
    async def run(subject: object) -> dict[str, float]:
        await trio.sleep_forever()
        return {}

    drill = evolve(DRILLS["crash"], run=run, real_time=True)
    monkeypatch.setattr("trido.cli.drills.kit.PATIENCE", 0.01)
    assert carry_out(drill).trouble == "TooSlowError"


def test_a_subject_that_cannot_be_is_the_users_error() -> None:
    with pytest.raises(UserError):
        carry_out(DRILLS["crash"], lambda: Function(trio.sleep_forever, takes_runtime=False))


# A plan of faults -----------------------------------------------------------------------------

VISITS = """
@frozen
class Visits: count: int = 0

visits = trido.Agent("visits", state=Visits, recover="committed")

@visits.on("visit")
def visit(state: Visits, data: None) -> Visits:
    return evolve(state, count=state.count + 1)

async def doorbell():
    ref = trido.current_child().supervisor["visits"].value
    while True:
        await ref.cast(visit.signal(None))
        await trio.sleep(1.0)

app = SupervisorSpec(visits.spec(id="visits"), ChildSpec(doorbell), id="shop")
quiet = SupervisorSpec(visits.spec(id="visits"), id="shop")
frail = SupervisorSpec(visits.spec(id="visits"), ChildSpec(doorbell), id="shop", max_restarts=0)

@asynccontextmanager
async def broken():
    raise ConnectionError("no network")
    yield
"""


def test_a_plan_happens_to_an_app(trido: Command, write: Write) -> None:
    plan = "crash visits at turn 3 before commit"
    name = write(VISITS)
    said = trido("drill", "--plan", plan, name, "--seed", "7")
    assert said.code == 0
    assert said.out.startswith(f"pass  plan: {plan}\n")
    assert said.out.endswith(f"      the same again: --plan '{plan}' --seed 7\n")
    again = json.loads(trido("drill", "--plan", plan, f"{name}:app", "--json").out)
    assert (again["passed"], again["plan"], again["seed"]) == (True, plan, 0)


@pytest.mark.parametrize(
    ("plan", "attribute", "said"),
    [
        ("crash visits at turn 3", "frail", "    ! roots that gave up: 1 (at most 0)\n"),
        ("crash visits at turn 999", "app", "it did not happen: crash visits at turn 999\n"),
        ("crash visits at turn 3", "broken", "    ! ConnectionError: no network\n"),
        ("", "app", "    ! faults of the plan: 0 (at least 1)\n"),
    ],
)
def test_a_plan_that_an_app_does_not_bear(
    plan: str, attribute: str, said: str, trido: Command, write: Write
) -> None:
    found = trido("drill", "--plan", plan, f"{write(VISITS)}:{attribute}")
    assert found.code == 1
    assert said in found.out


@pytest.mark.parametrize(
    ("plan", "said"),
    [
        ("crash nobody at turn 3", "there is no agent or child 'nobody'; there is any visits, "),
        ("crash visits at turn 1 of exit", "there is turn of visit, start, stop\n"),
        ("drop 1st signal to doorbell", "it is a function\n"),
    ],
)
def test_a_plan_that_names_what_an_app_has_not(
    plan: str, said: str, trido: Command, write: Write
) -> None:
    found = trido("drill", "--plan", plan, write(VISITS))
    assert (found.code, found.out) == (2, "")
    assert found.err.startswith(f"trido drill: '{plan}': there is no ")
    assert said in found.err


def test_a_plan_whose_time_is_said_is_repeated_with_it(trido: Command, write: Write) -> None:
    name = f"{write(VISITS)}:quiet"
    said = trido("drill", "--plan", "crash visits at 1500000s", name, "--seconds", "1600000")
    assert said.code == 0
    assert said.out.endswith(" --seed 0 --seconds 1600000.0\n")
    early = trido("drill", "--plan", "crash visits at 9s", name, "--seconds", "5")
    assert early.code == 1
    assert "it did not happen: crash visits at 9s\n" in early.out


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--seed", "-1"], "--seed -1 is not allowed: it must be 0 or more"),
        (["--seconds", "0"], "--seconds 0 is not allowed: it must be a finite number > 0"),
        (["--seconds", "inf"], "--seconds inf is not allowed: it must be a finite number > 0"),
        (["--seconds", "nan"], "--seconds nan is not allowed: it must be a finite number > 0"),
    ],
)
def test_how_a_plan_cannot_be_carried_out(
    options: list[str], said: str, trido: Command, write: Write
) -> None:
    found = trido("drill", "--plan", "crash visits at turn 3", write(VISITS), *options)
    assert found == Said(2, "", f"trido drill: {said}\n")


@pytest.mark.parametrize("words", [(), ("crash",), ("--all",)])
def test_without_a_plan_nothing_says_how_it_is_carried_out(
    words: tuple[str, ...], trido: Command
) -> None:
    assert trido("drill", *words, "--seed", "0") == Said(
        2, "", "trido drill: --seed: a matter of plans only, and there is no --plan LINE\n"
    )
    found = trido("drill", *words, "--seconds", "5", "--seed", "3")
    assert found.err.startswith("trido drill: --seed and --seconds: a matter of plans only")


SIGNALLED = f"""{VISITS}
import signal

async def bell(number):
    try:
        await trio.sleep(5)
        signal.raise_signal(number)
        await trio.sleep_forever()
    finally:
        print("the bell is taken down")

terminated = SupervisorSpec(visits.spec(id="visits"), ChildSpec(bell, signal.SIGTERM))
interrupted = SupervisorSpec(visits.spec(id="visits"), ChildSpec(bell, signal.SIGINT))
"""


@pytest.mark.parametrize(("attribute", "code"), [("terminated", 143), ("interrupted", 130)])
def test_a_signal_ends_a_plan_without_a_verdict(
    attribute: str, code: int, trido: Command, write: Write
) -> None:
    name = f"{write(SIGNALLED)}:{attribute}"
    said = trido("drill", "--plan", "crash visits at 9s", name)
    assert said == Said(code, "the bell is taken down\n", "")


def test_what_is_no_plan(trido: Command, write: Write) -> None:
    said = trido("drill", "--plan", "crash everybody", write(VISITS))
    assert (said.code, said.out) == (2, "")
    assert said.err.startswith("trido drill: 'crash everybody' is no plan: ")
    assert trido("drill", "--plan", "crash visits at turn 1", "nowhere:app") == Said(
        2, "", "trido drill: there is no module 'nowhere'\n"
    )
    for words in ((), ("crash", "shop:app"), ("--all", "shop:app")):
        assert trido("drill", *words, "--plan", "crash visits at turn 1") == Said(
            2, "", "trido drill: --plan takes an app and no drill: say --plan LINE shop:app\n"
        )
