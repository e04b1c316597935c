"""``trido doctor``: each item passes, fails and is waived, and says whose value it was."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.cli.apps import Command, Said, Write
from trido.cli.items import ITEMS

pytestmark = pytest.mark.real_time

NAMES = [one.name for one in ITEMS]

GOOD = """
import logging
from typing import Any

@frozen
class Payment:
    card: str = trido.secret(default="")
    password: str = ""
    amount: int = 0

@frozen
class Account:
    balance: int = 0
    last: Payment | None = None

@frozen
class Send(trido.Directive):
    text: str

account = trido.Agent(
    "account", state=Account, mailbox=100, durability="sync",
    schedules=[trido.Cron("0 0 * * *", trido.Signal("night"), "night", catch_up="once"),
               trido.Schedule(5.0, trido.Signal("soon"), key="soon")],
)
idle = trido.Agent("idle", state=Account)

@account.on("pay")
async def pay(state: Account, data: Payment) -> Account:
    return state

@account.on("night", turn_limit=5.0)
async def night(state: Account, data: None) -> Account:
    return state

@account.on("soon")
def soon(state: Account, data: None) -> Account:
    return state

async def send(directive, delivery): ...

@asynccontextmanager
async def app():
    async with trido.open_runtime(
        id="bank", journal=trido.SqliteJournal("bank.db"), agents=(account, idle),
        executors={Send: trido.Executor(send, delivery="keyed")},
        dispatch={"mail": trido.Executor(send, delivery="at_most_once")},
        watchdog=1.0, observers=[logging.getLogger("bank").info],
    ) as rt:
        await rt.start_agent(account, id="a")
        yield rt
"""

BAD = """
from typing import Any

@frozen
class Payment:
    card_number: str = ""
    amount: int = 0

@frozen
class Account:
    balance: int = 0

@frozen
class Send(trido.Directive):
    text: str

account = trido.Agent(
    "account", state=Account, mailbox=1_000_000, durability="sync", turn_limit=float("inf"),
    schedules=[trido.Cron("0 0 * * *", trido.Signal("night"), "night")],
)
hears = trido.Agent("hears", state=Account, subscribe=["pay.*"])

@account.on("night")
async def night(state: Account, data: None) -> Account:
    return state

@account.on("pay")
def pay(state: Account, data: Payment) -> Account:
    return state

async def send(directive): ...

async def slow(*, task_status): task_status.started()

@asynccontextmanager
async def app():
    async with trido.open_runtime(
        journal=trido.MemoryJournal(), agents=(account, hears), executors={Send: send}
    ) as rt:
        await rt.start_agent(account, id="a", shutdown=float("inf"))
        yield rt

tree = SupervisorSpec(
    SupervisorSpec(ChildSpec(slow), id="inner", max_restarts=float("inf")),
    trido.DynamicSupervisorSpec(feed, id="pool"),
    hears.spec(id="h", children=[trido.SpawnAgent(hears, "child"), ChildSpec(clock)]),
)
plain = SupervisorSpec(ChildSpec(feed), id="plain")

def block(): return trido.open_supervisor(spec=tree)
"""

Items = dict[str, dict[str, Any]]


def items(said: Said) -> Items:
    return {one["item"]: one for one in json.loads(said.out)["items"]}


def failing(found: Items, name: str) -> list[str]:
    return [f"{e['subject']}: {e['value']}" for e in found[name]["evidence"] if not e["ok"]]


def test_an_app_as_it_should_be_passes_every_item(trido: Command, write: Write) -> None:
    said = trido("doctor", write(GOOD), "--json")
    found = items(said)
    assert said.code == 0, said.out
    assert {name: one["status"] for name, one in found.items()} == dict.fromkeys(NAMES, "pass")
    assert all(one["evidence"] for name, one in found.items() if name != "start-timeouts")
    assert [one["subject"] for one in found["secrets"]["evidence"]] == [
        "Payment.card",
        "Payment.password",
    ]
    assert [one["subject"] for one in found["executors"]["evidence"]] == ["Send", "mail"]


def test_a_running_app_fails_by_the_very_value(trido: Command, write: Write) -> None:
    said = trido("doctor", write(BAD), "--json")
    found = items(said)
    assert said.code == 1
    assert failing(found, "shutdown-graces") == ["runtime/a: inf s to stop"]
    assert failing(found, "mailboxes") == [
        "runtime/a: 1000000 signals, then block",
        "agent hears: 1024 signals, then block, and whoever publishes pay.* waits",
    ]
    assert failing(found, "durable-agents")[0].startswith("runtime/a: sync, in <trido.MemoryJou")
    assert failing(found, "turn-limits") == ["runtime/a night: inf s for a turn"]
    assert failing(found, "executors") == ["Send: idempotent, which nobody has said"]
    assert failing(found, "secrets") == ["Payment.card_number: shown"]
    assert failing(found, "observers") == ["runtime: 0 observers"]
    assert failing(found, "watchdog") == ["runtime: none"]
    assert failing(found, "schedules") == ["runtime/a night: 0 0 * * *, skip what was missed"]
    assert found["ids"]["status"] == found["restart-limits"]["status"] == "pass"


@pytest.mark.parametrize("attribute", ["tree", "block"])
def test_a_tree_fails_by_the_very_value(attribute: str, trido: Command, write: Write) -> None:
    found = items(trido("doctor", f"{write(BAD)}:{attribute}", "--json"))
    assert failing(found, "restart-limits") == ["root/inner: inf restarts in 5 s"]
    assert failing(found, "start-timeouts") == ["root/inner/slow: inf s to be ready"]
    assert failing(found, "ids") == ["root: its name by default"]
    assert failing(found, "watchdog") == ["root: none, since there is no runtime"]
    subjects = {one["subject"] for one in found["shutdown-graces"]["evidence"]}
    assert {"root/inner/slow", "root/h", "root/h/clock"} <= subjects
    assert ("root/pool/*" in subjects) is (attribute == "tree")


def test_a_tree_without_agents_needs_no_watchdog(trido: Command, write: Write) -> None:
    said = trido("doctor", f"{write(BAD)}:plain")
    assert said.code == 1
    assert said.out.endswith("11 pass, 1 fail, 0 waived\n")
    assert (
        "fail    observers: somebody besides the log is told what happens\n"
        "       ! plain: a spec has none: only the log is told\n"
        "         open it with observers=\n"
    ) in said.out
    assert "         there is nothing of the kind\n" in said.out


def test_every_item_can_fail(trido: Command, write: Write) -> None:
    name = write(BAD)
    said = [items(trido("doctor", f"{name}:{one}", "--json")) for one in ("app", "tree")]
    assert {one for found in said for one in found if found[one]["status"] == "fail"} == {*NAMES}


def test_much_evidence_is_told_in_part(trido: Command, write: Write) -> None:
    children = ", ".join(f"ChildSpec(feed, id='f{n}')" for n in range(9))
    said = trido("doctor", write(f"app = SupervisorSpec({children}, id='shop')"))
    assert "         shop/f2: 5 s to stop\n         and 6 more\n" in said.out


# Waiving --------------------------------------------------------------------------------------


def test_an_item_is_waived_for_a_reason(trido: Command, write: Write) -> None:
    said = trido("doctor", f"{write(BAD)}:plain", "--waive", "observers=the log is shipped")
    assert said.code == 0
    assert (
        "waived  observers: somebody besides the log is told what happens\n"
        "       ! plain: a spec has none: only the log is told\n"
        "         the log is shipped\n"
    ) in said.out
    assert said.out.endswith("11 pass, 0 fail, 1 waived\n")


def test_one_id_is_waived_and_the_others_are_not(trido: Command, write: Write) -> None:
    name = write("""
        WAIVED = {"shutdown-graces:shop/a": "it has a lot to say", "observers": "a test"}
        app = SupervisorSpec(ChildSpec(feed, id="a", shutdown=float("inf")),
                             ChildSpec(feed, id="b", shutdown=float("inf")), id="shop")
    """)
    found = items(trido("doctor", name, "--json"))
    assert found["observers"]["status"] == "waived"
    assert found["observers"]["reason"] == "a test"
    assert found["shutdown-graces"]["status"] == "fail"
    also = trido("doctor", name, "--json", "--waive", "shutdown-graces:shop/b=me too")
    assert items(also)["shutdown-graces"]["reason"] == "it has a lot to say; me too"
    assert also.code == 0


# What cannot be -------------------------------------------------------------------------------

WRONG = {
    "WAIVED = 5": "WAIVED in the app's module is no table of reasons by item",
    "WAIVED = {'x': 'y'}": "there is no item 'x'; there are restart-limits, ",
    "WAIVED = {'observer': 'y'}": "there is no item 'observer'; did you mean 'observers'?",
    "WAIVED = {'observers': ''}": "WAIVED['observers'] gives no reason",
    "async def app(): ...": "it cannot be seen what runs in an async function",
    """
    def app(): return trido.open_supervisor(ChildSpec(never, start_timeout=0))
    async def never(*, task_status): await feed()
    """: "does not start: StartFailed: ",
}


@pytest.mark.parametrize("text", WRONG)
def test_what_cannot_be_examined(text: str, trido: Command, write: Write) -> None:
    said = trido(
        "doctor", write(f"app = SupervisorSpec(id='shop')\n{text}" if "app" not in text else text)
    )
    assert (said.code, said.out) == (2, "")
    assert said.err.startswith("trido doctor: ")
    assert WRONG[text] in said.err


def test_a_waiver_needs_a_reason(trido: Command, write: Write) -> None:
    said = trido("doctor", write("app = SupervisorSpec(id='shop')"), "--waive", "observers")
    assert said == Said(
        2,
        "",
        'trido doctor: --waive observers gives no reason: say --waive "observers=why"\n',
    )
