"""``trido replay``: what it says and how it ends; for bad input a sentence, and nothing changes."""

from __future__ import annotations

import json
import re
import sqlite3
import sys
import textwrap
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any, TypeAlias

import pytest
import trio

import trido
from trido.cli import load, main
from trido.cli.replay import Wanted, _Work

pytestmark = pytest.mark.real_time

SHOP = """
import trido
from attrs import evolve, frozen

@frozen
class Till:
    coins: int = 0
    pin: str = trido.secret(default="0")

@frozen
class Print(trido.Directive):
    line: str

till = trido.Agent("till", state=Till, durability="sync")

@till.on("pay")
def pay(state: Till, coins: int) -> trido.Decision[Till]:
    return evolve(state, coins=state.coins + coins), [Print(f"paid {coins}")]

@till.on("wait")
async def wait(state: Till, data: None) -> Till:
    return evolve(state, pin="1")

@trido.action("count")
async def count(coins: int) -> int:
    return coins

other = trido.Agent("other", state=Till)
newer = trido.Agent("till", state=Till, version=3, upgrades={2: lambda old: old})
"""


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    path = tmp_path / "shop.py"
    path.write_text(SHOP)
    return path


@pytest.fixture
def file(tmp_path: Path, shop: Path) -> Path:
    file = tmp_path / "app.db"
    _, till = load.load(f"{shop}:till")
    module, print_ = load.load(f"{shop}:Print")
    trio.run(lived, file, module.till, module.Print)
    assert till is not print_
    return file


async def lived(file: Path, till: Any, print_: Any) -> None:
    async def printed(directive: object) -> None:
        pass

    journal = trido.SqliteJournal(file)
    async with trido.open_runtime(
        journal=journal, agents=(till,), executors={print_: printed}
    ) as rt:
        for id in ("till-1", "till-2"):
            ref = await rt.start_agent(till, id=id)
            for coins in (1, 2, 3):
                await ref.call(trido.Signal("pay", coins))
            await ref.call(trido.Signal("wait"))
        await rt.drain()


Do: TypeAlias = Callable[..., tuple[int, str, str]]


@pytest.fixture
def do(file: Path, shop: Path, capsys: pytest.CaptureFixture[str]) -> Do:
    def run(*options: str, name: str = "till", journal: Path = file) -> tuple[int, str, str]:
        code = main(["replay", str(journal), f"{shop}:{name}", *options])
        said = capsys.readouterr()
        return code, said.out, said.err

    return run


def rewrite(shop: Path, old: str, new: str) -> None:
    assert old in SHOP
    shop.write_text(SHOP.replace(old, new))


def test_the_code_that_wrote_it_comes_out_the_same(do: Do, file: Path) -> None:
    before = file.read_bytes()
    assert do() == (
        0,
        (
            f"{file}: 2 agents of 'till' came out as recorded;"
            " 6 turns decided again, 2 taken as recorded.\n"
        ),
        "",
    )
    assert file.read_bytes() == before


def test_new_code_is_told_where_it_decides_differently(do: Do, file: Path, shop: Path) -> None:
    rewrite(shop, "state.coins + coins", "state.coins + coins + (coins == 2)")
    code, out, err = do("--agent", "till-2")
    assert (code, err) == (1, "")
    assert out == (
        f"{file}: 1 of 1 agent of 'till' came out differently;"
        " 2 turns decided again, 0 taken as recorded.\n"
        "agent 'till-2', revision 2, 'pay' (call):\n"
        "  state.coins\n    recorded 3\n    now      4\n"
    )
    assert do("--since", "2")[0] == do("--until", "1")[0] == 0


def test_as_many_differences_as_are_asked_for(do: Do, shop: Path) -> None:
    rewrite(shop, 'f"paid {coins}"', 'f"got {coins}"')
    code, out, _ = do("--differences", "9", "--json")
    said = json.loads(out)
    assert (code, said["same"], said["definition"]) == (1, False, "till")
    assert [one["id"] for one in said["agents"]] == ["till-1", "till-2"]
    differences = said["agents"][0]["differences"]
    assert [one["revision"] for one in differences] == [1, 2, 3]
    assert differences[0]["changed"] == [
        {
            "name": "directives[0]",
            "recorded": "Print(line='paid 1')",
            "decided": "Print(line='got 1')",
        }
    ]


def test_what_raises_now_is_a_difference_and_secrets_are_not_shown(do: Do, shop: Path) -> None:
    rewrite(shop, "return evolve(state, coins", "1 / 0; return evolve(state, coins")
    code, out, _ = do("--json")
    assert code == 1
    error = json.loads(out)["agents"][0]["differences"][0]["error"]
    assert error == "ZeroDivisionError('division by zero')"
    rewrite(shop, "state, coins=", 'state, pin="1234", coins=')
    code, out, _ = do()
    assert code == 1
    assert "state.pin\n    recorded ***\n    now      ***\n" in out
    assert "1234" not in out


def test_many_differences_are_not_all_told(
    do: Do, shop: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("trido.cli.replay_report._SHOWN", 1)
    rewrite(shop, 'f"paid {coins}"', 'f"got {coins}"')
    assert do("--differences", "9")[1].endswith("and 5 more: --json lists all\n")


def test_those_of_a_partition(do: Do, file: Path, shop: Path) -> None:
    module, _ = load.load(f"{shop}:till")

    async def activate() -> None:
        journal = trido.SqliteJournal(file)
        async with trido.open_runtime(journal=journal, agents=(module.till,)) as rt:
            await (await rt.activate(module.till, "k", partition="acme")).call(trido.Signal("wait"))

    trio.run(activate)
    one = f"{file}: 1 agent of 'till' came out as recorded; 0 turns decided again, 1 taken as"
    assert do("--partition", "acme")[1].startswith(one)
    assert do("--partition", "acme", "--agent", "till/k")[1].startswith(one)
    assert do("--agent", "//acme/till/k")[1].startswith(one)
    assert "3 agents" in do()[1]
    assert "2 agents" in do("--partition", "")[1]
    assert do("--partition", "acme", "--agent", "till-1")[0] == 2


# Bad input ----------------------------------------------------------------------------------------


def test_what_is_not_there_is_told(do: Do, file: Path, shop: Path, tmp_path: Path) -> None:
    assert do(name="tilll")[2].endswith("has no 'tilll'; did you mean 'till'?\n")
    code, out, err = do(name="pay", journal=file)
    assert (code, out) == (2, "")
    assert err == (
        f"trido replay: {shop}:pay is of type function;"
        " name the definition of an agent, such as shop:counter\n"
    )
    code, _, err = do("--agent", "till-9", "--agent", "till-1")
    assert (code, err) == (
        2,
        f"trido replay: {file}: it has no agent 'till-9'; it has agents of 'till'\n",
    )
    code, _, err = do(name="other")
    assert (code, err) == (
        2,
        f"trido replay: {file}: it has no agent of 'other'; it has agents of 'till'\n",
    )
    code, _, err = do(name="other", journal=tmp_path / "no.db")
    assert (code, err) == (
        2,
        f"trido replay: {tmp_path}/no.db: it is not there; give the path of a journal\n",
    )


def test_a_pass_about_no_turn_is_none(do: Do, file: Path) -> None:
    for turns in ("3", "2"):
        code, out, err = do("--since", "3", "--until", turns)
        assert (code, out) == (2, "")
        assert err.startswith(f"trido replay: --since 3 --until {turns} leaves no turn: ")
    code, out, err = do("--since", "99")
    assert (code, out) == (2, "")
    assert err == (
        f"trido replay: {file}: none of the turns of these agents is among those of --since and"
        " --until; ask for more of them\n"
    )
    assert do("--since", "3")[0] == 0
    assert do("--until", "1")[0] == 0


def test_who_is_in_another_partition_is_told_of(do: Do, file: Path) -> None:
    assert do("--partition", "zz") == (
        2,
        "",
        f"trido replay: {file}: it has no agent of 'till' in partition 'zz'; they are in ''\n",
    )


def test_an_empty_journal_has_nobody(do: Do, tmp_path: Path) -> None:
    async def make() -> None:
        async with trido.SqliteJournal(tmp_path / "new.db").open():
            pass

    trio.run(make)
    assert do(journal=tmp_path / "new.db")[2].endswith("no agent of 'till'; it is empty\n")


def test_what_another_definition_wrote_is_told(do: Do, file: Path) -> None:
    code, _, err = do("--agent", "till-1", name="other")
    assert code == 2
    assert "agent 'till-1' is of the definition 'till'; it cannot be read as 'other'" in err
    code, _, err = do(name="newer")
    assert code == 2
    assert err == (
        f"trido replay: {file}: Undecodable: state of Agent 'till': $: it has version 1, and no"
        " upgrade leads from there: give upgrades={1: ...}; replay with the definition that wrote"
        " it, or one that can read it\n"
    )
    code, _, err = do(name="holes")
    assert code == 2
    assert err.startswith("trido replay: ")


def test_who_names_no_definition_is_told_which_there_are(
    do: Do, shop: Path, file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["replay", str(file), str(shop)]) == 2
    meant = "did you mean 'newer' or 'other' or 'till'?\n"
    assert capsys.readouterr().err.endswith(f"shop' has no 'app'; {meant}")
    assert do(name="Print.x")[2].endswith("shop' has no 'x'\n")


def test_damage_is_told_and_left(do: Do, file: Path) -> None:
    with closing(sqlite3.connect(file)) as connection:
        connection.execute("UPDATE turns SET input = x'00' WHERE turn = 1")
        connection.commit()
    before = file.read_bytes()
    code, out, err = do("--json")
    assert code == 2
    assert json.loads(out)["error"] == "Corrupt"
    assert "is damaged; it is left as it is" in err
    assert file.read_bytes() == before


def test_what_cannot_be_imported_is_told_as_json_too(do: Do, shop: Path, file: Path) -> None:
    shop.write_text("1 / 0")
    code, out, err = do("--json")
    assert code == 2
    assert json.loads(out)["error"] == "UserError"
    assert json.loads(out)["file"] == str(file)
    assert "cannot be imported: ZeroDivisionError" in err


def test_progress_is_told_over_all_agents(file: Path, shop: Path) -> None:
    module, till = load.load(f"{shop}:till")
    assert isinstance(till, trido.Agent)
    told: list[tuple[int, int]] = []
    work = _Work(Wanted(file=file, where=""), module, till)

    def progress(done: int, of: int) -> None:
        told.append((done, of))

    assert trio.run(work.carry_out, trido.SqliteJournal(file), progress).exit_code == 0
    assert told == [(n, 8) for n in range(1, 9)]


# The guide ----------------------------------------------------------------------------------------

GUIDE = Path(__file__).parents[2] / "docs" / "how-to" / "replay-a-journal.rst"


def test_the_guide_shows_what_the_command_prints(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    text = GUIDE.read_text()
    ((command, shown),) = re.findall(r"^   \$ trido (replay .*)\n   (.*\n)", text, re.MULTILINE)
    _, _, code = text.partition(".. code-block:: python\n")
    program = textwrap.dedent(code.partition("   journal = ")[0])
    (tmp_path / "shop.py").write_text(program)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "shop", raising=False)  # that of another test
    _, basket = load.load("shop:basket")
    assert isinstance(basket, trido.Agent)

    async def last_week() -> None:
        journal = trido.SqliteJournal("app.db")
        async with trido.open_runtime(journal=journal, agents=(basket,)) as rt:
            ref = await rt.start_agent(basket, id="b-1")
            for item, price in (("kettle", 49), ("toaster", 40), ("grinder", 129)):
                await ref.call(trido.Signal("put", {"item": item, "price": price}))

    trio.run(last_week)
    assert main(command.split()) == 0
    assert capsys.readouterr().out.replace(str(tmp_path), "/srv/shop") == shown
    monkeypatch.delitem(sys.modules, "shop")
