"""``module:app``: what it may be, and a sentence and exit code 2 for what it may not."""

from __future__ import annotations

import io
import json
import sys
from pathlib import Path

import pytest

from tests.cli.apps import Command, Write
from trido.cli import main

# What an app may be ---------------------------------------------------------------------------

TREES = {
    "supervisor": "app = SupervisorSpec(ChildSpec(feed), id='shop')",
    "function": "def app(id='shop'): return SupervisorSpec(ChildSpec(feed), id=id)",
    "lambda": "app = lambda: SupervisorSpec(ChildSpec(feed), id='shop')",
}


@pytest.mark.parametrize("kind", TREES)
def test_a_tree_is_drawn_without_running(kind: str, trido: Command, write: Write) -> None:
    said = trido("tree", write(TREES[kind]))
    assert said == (
        0,
        "shop [one_for_one, 3 restarts in 5 s]\n└── feed (child feed, permanent, 5 s to stop)\n",
        "",
    )


def test_a_child_alone_ends_with_its_supervisor(trido: Command, write: Write) -> None:
    name = write("""
        app = ChildSpec(once, id="job", restart="transient", shutdown=trido.BRUTAL_KILL)
        pool = trido.DynamicSupervisorSpec(feed, id="pool", max_restarts=float("inf"))
        steady = ChildSpec(feed, shutdown=float("inf"))
    """)
    assert "job (child once, transient, killed to stop)" in trido("tree", name).out
    assert trido("tree", f"{name}:pool").out == "pool [dynamic of feed, inf restarts in 5 s]\n"
    assert "feed (child feed, permanent, inf s to stop)" in trido("tree", f"{name}:steady").out


def test_agents_are_drawn_with_the_children_they_declare(trido: Command, write: Write) -> None:
    name = write("""
        @frozen
        class Nothing: pass

        class Other(trido.Spec[None]):
            child_id, policy = "other", ChildSpec(feed).policy

        worker = trido.Agent("worker", state=Nothing)
        boss = trido.Agent(
            "boss", state=Nothing, children=[trido.SpawnAgent(worker, "one"), ChildSpec(feed)]
        )
        app = SupervisorSpec(boss.spec(id="boss"), Other(), id="firm")
    """)
    assert trido("tree", name).out == (
        "firm [one_for_one, 3 restarts in 5 s]\n"
        "├── boss (agent boss, transient, 5 s to stop)\n"
        "│   ├── one (agent worker)\n"
        "│   └── feed (child feed, permanent, 5 s to stop)\n"
        "└── other (child Other, permanent, 5 s to stop)\n"
    )
    said = json.loads(trido("tree", name, "--json").out)
    assert said["children"][0]["overflow"] == "block"


def test_a_durable_agent_is_drawn_as_one(trido: Command, write: Write) -> None:
    from trido.cli.tree import _line  # noqa: PLC0415

    job = {"id": "a", "kind": "agent", "runs": "b", "durability": "sync"}
    assert _line(job) == "a (agent b, durable: sync)"


def test_an_app_may_be_a_file(trido: Command, write: Write, tmp_path: Path) -> None:
    name = write(TREES["supervisor"])
    assert trido("tree", f"{name}.py").code == 0
    assert trido("tree", f"{tmp_path}/{name}.py:app").code == 0
    said = trido("tree", "nowhere.py:app")
    assert (said.code, said.err) == (2, "trido tree: there is no file 'nowhere.py'\n")


def test_a_file_may_be_called_like_a_module_that_everybody_needs(
    trido: Command, tmp_path: Path, write: Write
) -> None:
    name = write(TREES["supervisor"])
    (tmp_path / "below").mkdir()
    (tmp_path / "below" / "helper.py").write_text("name = 'shop'")
    file = tmp_path / "below" / "json.py"
    file.write_text(f"import helper\n{(tmp_path / f'{name}.py').read_text()}")
    assert trido("tree", str(file)).out.startswith("shop [")
    assert sys.modules["json"] is json


# What follows from a crash --------------------------------------------------------------------

SHOP = """
app = SupervisorSpec(
    ChildSpec(clock, restart="temporary"),
    SupervisorSpec(ChildSpec(feed, id="eu"), ChildSpec(feed, id="asia"), id="feeds",
                   strategy="one_for_all"),
    id="shop",
)
strict = SupervisorSpec(ChildSpec(feed), max_restarts=0)
"""


def test_a_crash_is_explained(trido: Command, write: Write) -> None:
    name = write(SHOP)
    said = trido("explain", name, "--crash", "feeds/eu")
    assert said.out == (
        "shop [one_for_one]\n"
        "├── clock\n"
        "└── feeds [one_for_all]\n"
        "    ├── eu  <- crashes, is started (1)\n"
        "    └── asia  <- is stopped (1), is started (2)\n"
        "It counts towards a restart limit.\n"
    )
    said = trido("explain", name, "--crash", "eu", "--json")
    assert json.loads(said.out) == {
        "crash": "eu",
        "stops": ["feeds/asia"],
        "starts": ["feeds/eu", "feeds/asia"],
        "counted": True,
        "gives_up": False,
    }
    assert "towards no limit." in trido("explain", name, "--crash", "clock").out
    assert "over it at once." in trido("explain", f"{name}:strict", "--crash", "feed").out


@pytest.mark.parametrize(
    ("crash", "more"),
    [
        ("assia", "did you mean 'asia'?"),
        ("feeds/eux", "did you mean 'feeds/eu'?"),
        ("x", "there are clock, feeds, feeds/eu, feeds/asia"),
    ],
)
def test_no_such_child(crash: str, more: str, trido: Command, write: Write) -> None:
    said = trido("explain", write(SHOP), "--crash", crash)
    assert (said.code, said.out) == (2, "")
    assert said.err == f"trido explain: there is no child {crash!r}; {more}\n"


# What it may not be ---------------------------------------------------------------------------

WRONG = {
    "app = 5": "is of type int; an app is a supervisor's",
    "def app(path): ...": "cannot be called without path; an app is",
    "def app(): return 5": "app returned what is of type int; an app is",
    "def app(): 1 / 0": "app failed: ZeroDivisionError: division by zero",
    "def app(): raise ValueError": "app failed: ValueError",
    "async def app(one, two): ...": "takes one, two: it may take a runtime, or nothing",
    "async def app(): ...": "has to run before there is a tree to draw",
    "def app(): return trido.open_runtime()": "has to run before there is a tree to draw",
    "app = trido.open_supervisor()": "has to run before there is a tree to draw",
    "App = SupervisorSpec()": "has no 'app'; did you mean 'App'?",
    "thing = SupervisorSpec()": "has no 'app'",
    "app = trido.Agent('a', state=frozen(type('A', (), {})))": 'app = app.spec(id="one")',
    "app = 1 / 0": "cannot be imported: ZeroDivisionError: division by zero (",
    "import nowhere": "cannot be imported: ModuleNotFoundError: No module named 'nowhere' (",
    "def app(:": "cannot be imported: SyntaxError: invalid syntax (",
    "app = SupervisorSpec(ChildSpec(feed), ChildSpec(feed))": "cannot be imported: DuplicateChild:",
}


@pytest.mark.parametrize("text", WRONG)
def test_what_is_no_app_is_told_in_a_line(text: str, trido: Command, write: Write) -> None:
    said = trido("tree", f"{write(text)}:app")
    assert (said.code, said.out) == (2, "")
    assert WRONG[text] in said.err
    assert said.err.startswith("trido tree: ")
    assert said.err.count("\n") == 1


def test_a_class_of_specs_is_a_function_that_returns_one(trido: Command, write: Write) -> None:
    assert trido("tree", write("app = SupervisorSpec")).out == (
        "root [one_for_one, 3 restarts in 5 s]\n"
    )


def test_a_builtin_is_no_app(trido: Command, write: Write) -> None:
    assert "returned what is of type dict" in trido("tree", write("app = dict")).err
    assert "failed: TypeError" in trido("tree", write("app = iter")).err


def test_a_module_that_runs_as_it_is_imported_is_told_how_not_to(
    trido: Command, write: Write, tmp_path: Path
) -> None:
    name = write("trio.run(feed)")
    line = len((tmp_path / f"{name}.py").read_text().splitlines())
    said = trido("tree", name)
    assert said.code == 2
    assert f"from inside a run() ({tmp_path}/{name}.py:{line}); it runs as it is imp" in said.err
    assert 'put that under `if __name__ == "__main__":`' in said.err
    later = write("import json\ndef f(): return json.loads('{')\nf()")
    assert f"{later}.py:{line + 1})" in trido("tree", later).err


@pytest.mark.parametrize("where", [".:app", "../shop:app", "..shop", "below/shop:app"])
def test_a_path_is_no_module(where: str, trido: Command) -> None:
    said = f'trido tree: "{where}" names no app: say module:name, such as shop:app\n'
    assert trido("tree", where) == (2, "", said)


def test_a_module_that_exits_as_it_is_imported_is_no_app(trido: Command, write: Write) -> None:
    name = write("raise SystemExit(3)")
    for where in (name, f"{name}.py"):
        said = trido("tree", where)
        assert (said.code, said.out) == (2, "")
        assert f"trido tree: {where!r} cannot be imported: SystemExit: 3 (" in said.err


def test_what_an_app_prints_is_not_in_the_json(trido: Command, write: Write) -> None:
    name = write("""
        print("imported")

        def app():
            print("made")
            return SupervisorSpec(ChildSpec(feed), id="shop")
    """)
    for words in (
        ("tree", name),
        ("explain", name, "--crash", "feed"),
        ("doctor", name),
        ("drill", "crash", name),
        ("drill", "--plan", "crash feed at 1s", name),
    ):
        said = trido(*words, "--json")
        assert isinstance(json.loads(said.out), dict), said
        assert "made\n" in said.err
        assert "made\n" in trido(*words).out


def test_what_a_terminal_has_no_letter_for_is_replaced(
    write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = write(TREES["supervisor"])
    out = io.BytesIO()
    with io.TextIOWrapper(out, encoding="ascii") as ascii:
        monkeypatch.setattr("sys.stdout", ascii)
        assert main(["tree", name]) == 0
        ascii.flush()
        assert b"\n??? feed (child feed" in out.getvalue()
    text = io.StringIO()  # it takes any letter
    monkeypatch.setattr("sys.stdout", text)
    assert main(["tree", name]) == 0
    assert "\n└── feed (child feed" in text.getvalue()


def test_a_broken_file_is_told_in_a_line(trido: Command, write: Write) -> None:
    said = trido("tree", f"{write('app = 1 / 0')}.py")
    assert "cannot be imported: ZeroDivisionError" in said.err


@pytest.mark.parametrize("where", ["", ":app", "shop:"])
def test_a_name_has_two_parts(where: str, trido: Command) -> None:
    said = trido("tree", where)
    assert (said.code, said.err) == (
        2,
        f'trido tree: "{where}" names no app: say module:name, such as shop:app\n',
    )


def test_no_such_module(trido: Command, write: Write) -> None:
    name = write("app = 5")
    said = trido("tree", f"{name[:4]}-{name[4:]}:app")
    assert "there is no module " in said.err
    assert f"did you mean {name!r}?" in said.err
    assert trido("tree", "json.decodr").err == (
        "trido tree: there is no module 'json.decodr'; did you mean 'decoder'?\n"
    )
    assert trido("tree", "json.decoder.x").err == (
        "trido tree: there is no module 'json.decoder.x'\n"
    )
    assert trido("tree", "zzz.b").err == "trido tree: there is no module 'zzz'\n"


def test_a_name_may_have_dots(trido: Command, write: Write) -> None:
    name = write("class Apps: one = SupervisorSpec(id='deep')")
    assert trido("tree", f"{name}:Apps.one").out.startswith("deep [")
    assert trido("tree", f"{name}:Apps.on").err == (
        f"trido tree: 'Apps' in module {name!r} has no 'on'; did you mean 'one'?\n"
    )
