"""``trido journal``: what it says and how it ends; for bad input a line, and nothing is changed."""

from __future__ import annotations

import doctest
import json
import os
import pty
import re
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Generator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

import pytest
from attrs import evolve
from rich.progress import Progress

from tests.journal.disk import can_fail, failing_disk
from tests.journal.test_journal_file import KEYS, fill, opened
from trido.cli import main
from trido.cli.findings import checked
from trido.journal import opening, upkeep
from trido.journal.inspection import Inspection

pytestmark = pytest.mark.real_time

ROOT = Path(__file__).parents[2]
COMMAND = (sys.executable, "-m", "trido", "journal")
WORK = ("check", "inspect", "backup", "compact")


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A sound journal."""
    file = tmp_path / "app.db"
    fill(file)
    return file


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    return tmp_path / "copy.db"


class Said(NamedTuple):
    """What a command printed."""

    out: str
    err: str


Do: TypeAlias = Callable[..., tuple[int, Said]]


@pytest.fixture
def do(copy: Path, capsys: pytest.CaptureFixture[str]) -> Do:
    """Runs a command; returns its exit code and what it said."""

    def run(work: str, file: Path, *options: str) -> tuple[int, Said]:
        arguments = [str(file), str(copy)] if work == "backup" else [str(file)]
        code = main(["journal", work, *arguments, *options])
        said = capsys.readouterr()
        return code, Said(str(said.out), str(said.err))

    return run


def damage(file: Path, sql: str = "UPDATE turns SET input = x'00' WHERE turn = 8") -> None:
    with closing(sqlite3.connect(file)) as connection:
        connection.execute(sql)
        connection.commit()


def flip(file: Path, at: int) -> None:
    content = bytearray(file.read_bytes())
    content[at] ^= 1
    file.write_bytes(content)


def there(directory: Path) -> set[str]:
    """What is there, but for what SQLite keeps beside a file."""
    beside = ("-lock", "-wal", "-shm")
    return {one.name for one in directory.iterdir() if not one.name.endswith(beside)}


# Sound ----------------------------------------------------------------------------------------


def test_a_sound_journal_is_sound(file: Path, do: Do) -> None:
    assert do("check", file) == (0, (f"{file} is sound.\n", ""))
    code, said = do("check", file, "--json")
    assert (code, json.loads(said.out)) == (0, {"file": str(file), "sound": True, "damage": []})


def test_what_is_in_it_is_counted(file: Path, do: Do) -> None:
    code, said = do("inspect", file)
    assert (code, said.err) == (0, "")
    assert [line.split() for line in said.out.splitlines()] == [
        [str(file)],
        "format 1".split(),
        f"size {file.stat().st_size / 1000:.1f} kB with its log".split(),
        f"agents {len(KEYS)}".split(),
        "turns 48 that can be read again".split(),
        "inputs 48 that would be known again".split(),
        "directives 48 18 dead, 12 done, 18 started".split(),
        "timers 6".split(),
    ]
    code, said = do("inspect", file, "--json")
    found = Inspection(**json.loads(said.out))
    assert (found.agents, found.directives["dead"]) == (len(KEYS), 18)


def test_a_copy_is_a_journal(file: Path, copy: Path, do: Do) -> None:
    size = file.stat().st_size / 1000
    sound = f"{file} is copied to {copy}, {size:.1f} kB, and the copy is sound.\n"
    assert do("backup", file) == (0, (sound, ""))
    assert do("check", copy)[0] == 0
    copy.unlink()
    code, said = do("backup", file, "--json")
    assert code == 0
    assert json.loads(said.out) == {
        "file": str(file),
        "to": str(copy),
        "bytes": copy.stat().st_size,
    }


def test_compacting_tells_both_sizes(file: Path, do: Do) -> None:
    code, said = do("compact", file)
    assert (code, said.err) == (0, "")
    assert re.fullmatch(r"\S+app.db is compacted: [\d.]+ kB before, [\d.]+ kB now.\n", said.out)
    code, said = do("compact", file, "--json")
    assert json.loads(said.out).keys() == {"file", "before", "after"}


@pytest.mark.parametrize("words", ["", "--help", *(f"{work} --help" for work in WORK)])
def test_help(words: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["journal", *words.split()]) == 0
    assert "Usage: trido journal" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("check", "FILE requires an argument"),
        ("backup a", "TO requires an argument"),
        ("check a b", "Unused Tokens: ['b']"),
        ("check a --no-json", "--no-json"),
        ("mend a", 'Unknown command "mend"'),
    ],
)
def test_wrong_usage(words: str, said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["journal", *words.split()]) == 2
    assert said in " ".join(capsys.readouterr().err.split())


# Beside others --------------------------------------------------------------------------------


@contextmanager
def live_writer(file: Path) -> Generator[None]:
    with subprocess.Popen(
        [sys.executable, "-m", "tests.journal.child", str(file), "thread"],
        stdout=subprocess.PIPE,
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    ) as process:
        assert process.stdout
        assert process.stdout.readline()
        try:
            yield
            assert process.poll() is None
        finally:
            process.kill()


def test_all_but_compacting_works_beside_a_live_writer(tmp_path: Path, copy: Path, do: Do) -> None:
    file = tmp_path / "live.db"
    with live_writer(file):
        assert do("check", file) == (0, (f"{file} is sound.\n", ""))
        assert do("inspect", file)[0] == 0
        assert do("backup", file)[0] == 0
        code, said = do("compact", file)
    assert (code, said.out) == (2, "")
    assert said.err == (
        f"trido journal compact: {file}: somebody has it open;"
        " stop the program that has it; to check, inspect and back up it may go on\n"
    )
    assert do("check", copy)[0] == do("compact", copy)[0] == 0


def test_another_program_that_writes_is_named(
    file: Path, do: Do, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(opening, "BUSY", 0.01)
    with closing(sqlite3.connect(file, isolation_level=None)) as connection:
        connection.execute("BEGIN IMMEDIATE")
        assert do("check", file)[0] == 0
        code, said = do("compact", file)
    assert code == 2
    assert "another program is writing to it (database is locked); end that program" in said.err


# Bad input ------------------------------------------------------------------------------------


def missing(file: Path) -> None:
    file.unlink()


def directory(file: Path) -> None:
    file.unlink()
    file.mkdir()


def empty(file: Path) -> None:
    file.write_bytes(b"")


def text(file: Path) -> None:
    file.write_text("no journal, but text\n" * 1000)


def another_database(file: Path) -> None:
    file.unlink()
    damage(file, "CREATE TABLE t (a)")


def newer_format(file: Path) -> None:
    damage(file, "PRAGMA user_version = 2")


def header_cut_off(file: Path) -> None:
    os.truncate(file, 50)


def pages_cut_off(file: Path) -> None:
    os.truncate(file, 5 * 4096)


def page_torn(file: Path) -> None:
    os.truncate(file, 5 * 4096 + 100)


def header_flipped(file: Path) -> None:
    flip(file, 3)


def table_flipped(file: Path) -> None:
    flip(file, file.read_bytes().index(b"CREATE TABLE outbox") + 20)


def log_alone(file: Path) -> None:
    file.rename(f"{file}-wal")


REMEDY = (
    "it is left as it is: move it away, with its -wal and -shm, and restore a backup or start anew"
)
BAD: list[tuple[Callable[[Path], None], int, str]] = [
    (missing, 2, "it is not there; give the path of a journal"),
    (directory, 2, "it is a directory; give the path of a file"),
    (empty, 1, f"it is empty, and a journal never is; {REMEDY}"),
    (text, 1, f"it is no journal, or is damaged (file is not a database); {REMEDY}"),
    (
        another_database,
        1,
        "no journal; give the path of a journal, or of a file that is not there yet",
    ),
    (
        newer_format,
        2,
        "its format is 2, and this trido knows 1; open it with the trido that wrote it, or",
    ),
    (header_cut_off, 1, "no journal"),
    (pages_cut_off, 1, f"it is damaged (database disk image is malformed); {REMEDY}"),
    (page_torn, 1, REMEDY),
    (header_flipped, 1, f"it is no journal, or is damaged (file is not a database); {REMEDY}"),
    (table_flipped, 1, "it is damaged (malformed database schema (outbox)"),
    (log_alone, 1, "its log is there, and the file is not; put the file back beside app.db-wal"),
]


@pytest.mark.parametrize("work", WORK)
@pytest.mark.parametrize(("make", "code", "said"), BAD, ids=[make.__name__ for make, _, _ in BAD])
def test_what_cannot_be_looked_at_is_a_line_and_left_as_it_is(
    make: Callable[[Path], None], code: int, *, said: str, work: str, file: Path, do: Do
) -> None:
    make(file)
    before = there(file.parent), file.is_file() and file.read_bytes()
    found, printed = do(work, file)
    assert (found, printed.out) == (code, "")
    assert printed.err.startswith(f"trido journal {work}: {file}: ")
    assert said in printed.err
    assert printed.err.count("\n") == 1
    assert (there(file.parent), file.is_file() and file.read_bytes()) == before


@pytest.mark.parametrize("work", WORK)
def test_a_program_is_told_in_json_too(work: str, file: Path, do: Do) -> None:
    text(file)
    code, said = do(work, file, "--json")
    assert code == 1
    told = json.loads(said.out)
    assert (told["error"], told["file"], told["remedy"]) == ("Corrupt", str(file), REMEDY)
    assert said.err == f"trido journal {work}: {file}: {told['reason']}; {REMEDY}\n"


def test_damaged_rows_are_listed(file: Path, do: Do) -> None:
    damage(file)
    before = file.read_bytes()
    code, said = do("check", file)
    assert (code, said.err) == (1, "")
    assert said.out.splitlines() == [
        f"{file} is damaged:",
        "  a row of turns is damaged: turn 8",
        "  revision 8 of agent 'agent-0' is damaged",
        f"I{REMEDY[1:]}.",
    ]
    code, said = do("check", file, "--json")
    told = json.loads(said.out)
    assert (code, told["sound"], len(told["damage"])) == (1, False, 2)
    assert file.read_bytes() == before


def test_what_cannot_be_opened_is_not_called_sound(file: Path, do: Do) -> None:
    with file.open("ab") as end:
        end.write(b"\0" * 100)
    code, said = do("check", file)
    assert code == 1
    assert "  it is cut off\n" in said.out


def test_much_damage_is_told_in_part() -> None:
    places = [f"row {number}" for number in range(1030)]
    found = checked("app.db", ["*** in database main ***\nPage 3: bad", *places])
    assert found.text.splitlines()[1] == "  Page 3: bad"
    assert found.text.splitlines()[-2] == "  and 1,011 more: --json lists all"
    assert len(found.text.splitlines()) == 23
    assert found.json["damage"] == ["Page 3: bad", *places]


@pytest.mark.skipif(not can_fail(), reason="SQLite is linked in, and hidden")
def test_a_file_that_may_not_be_written_can_be_looked_at(file: Path, do: Do) -> None:
    before = file.read_bytes()
    with failing_disk() as disk:
        disk.read_only = file.name
        assert do("check", file)[0] == do("inspect", file)[0] == do("backup", file)[0] == 0
        code, said = do("compact", file)
    assert code == 2
    assert f"{file}: it cannot be written (attempt to write a readonly database);" in said.err
    assert "let the process write the file, its -wal and -shm, and its directory\n" in said.err
    assert file.read_bytes() == before


@pytest.mark.skipif(not can_fail(), reason="SQLite is linked in, and hidden")
def test_a_full_disk_leaves_no_copy(file: Path, copy: Path, do: Do) -> None:
    with failing_disk() as disk:
        disk.fail("write", nth=1, fault=(sqlite3.SQLITE_FULL, False), path="copy.db-unfinished")
        code, said = do("backup", file)
    assert (code, said.out) == (2, "")
    assert f"{copy}: the disk is full (database or disk is full); make room\n" in said.err
    assert there(file.parent) == {file.name}


def test_a_copy_replaces_nothing(file: Path, copy: Path, do: Do) -> None:
    copy.write_text("good")
    code, said = do("backup", file)
    assert (code, copy.read_text()) == (2, "good")
    line = f"{copy}: it is there already; give a path where nothing is yet\n"
    assert said.err == f"trido journal backup: {line}"


def test_a_copy_needs_a_directory(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    to = file.parent / "nowhere" / "copy.db"
    assert main(["journal", "backup", str(file), str(to)]) == 2
    assert f"{to}: it cannot be opened (" in capsys.readouterr().err


def test_any_name_will_do(tmp_path: Path, do: Do, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not text, or an order to the terminal, or what SQLite takes for no file."""
    monkeypatch.chdir(tmp_path)
    file = tmp_path / os.fsdecode(b"a\xff\x1b[31m%?#.db")
    fill(file)
    code, said = do("check", file)
    assert (code, said.out) == (0, rf"{tmp_path}/a\udcff\x1b[31m%?#.db is sound." + "\n")
    code, said = do("check", Path(":memory:"))
    assert (code, "it is not there" in said.err) == (2, True)


# Stopped --------------------------------------------------------------------------------------

STATES = {
    "check": "it was only read, and nothing is changed",
    "inspect": "it was only read, and nothing is changed",
    "backup": "there is no copy at {copy}; the journal was only read, and nothing is changed",
    "compact": "it is sound, and holds all that is to be kept; compact it again to make it smaller",
}


@pytest.fixture
def ctrl_c_as_it_was() -> Generator[None]:
    handler = signal.getsignal(signal.SIGINT)
    yield
    signal.signal(signal.SIGINT, handler)


def counted(do: Do, file: Path) -> Inspection:
    return evolve(Inspection(**json.loads(do("inspect", file, "--json")[1].out)), bytes=0)


@pytest.mark.usefixtures("ctrl_c_as_it_was")
@pytest.mark.parametrize(
    ("number", "name", "code"), [(signal.SIGINT, "Ctrl-C", 130), (signal.SIGTERM, "SIGTERM", 143)]
)
@pytest.mark.parametrize("work", ["check", "backup", "compact"])
def test_a_signal_stops_it_in_order_and_says_how_things_are(
    work: str,
    number: signal.Signals,
    name: str,
    code: int,
    *,
    file: Path,
    copy: Path,
    do: Do,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def interrupt(*_: Any, **__: Any) -> None:
        if not told:
            told.append(number)
            signal.raise_signal(number)

    told: list[int] = []
    before = counted(do, file)
    monkeypatch.setattr(upkeep, "OPERATIONS", 50)
    monkeypatch.setattr(upkeep, "STEP", 1)
    monkeypatch.setattr(Progress, "update", interrupt)
    found, said = do(work, file, "--json")
    assert found == code
    told_in_json = json.loads(said.out)
    assert (told_in_json["error"], told_in_json["reason"]) == ("Stopped", f"stopped by {name}")
    state = STATES[work].format(copy=copy)
    assert said.err == f"trido journal {work}: {file}: stopped by {name}; {state}\n"
    assert there(file.parent) == {file.name}
    assert do("check", file)[0] == 0
    assert counted(do, file) == before


@pytest.mark.usefixtures("ctrl_c_as_it_was")
def test_a_signal_that_comes_too_late_finds_it_done(
    file: Path, do: Do, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Progress, "__exit__", interrupt)
    code, said = do("inspect", file)
    assert (code, said.err) == (0, "")
    assert "agents" in said.out


def test_inspecting_is_stopped_too(file: Path, do: Do, monkeypatch: pytest.MonkeyPatch) -> None:
    inspect = upkeep.inspect

    def slow(file: str, progress: Any) -> Inspection:
        os.kill(os.getpid(), signal.SIGTERM)
        while True:
            inspect(file, progress)

    monkeypatch.setattr(upkeep, "OPERATIONS", 50)
    monkeypatch.setattr(upkeep, "inspect", slow)
    code, said = do("inspect", file)
    assert (code, said.out) == (143, "")
    assert said.err.endswith(f": stopped by SIGTERM; {STATES['inspect']}\n")


# As a process ---------------------------------------------------------------------------------


def test_nothing_but_the_result_where_there_is_no_terminal(file: Path) -> None:
    done = subprocess.run(
        [*COMMAND, "check", str(file)], capture_output=True, text=True, check=True, timeout=60
    )
    assert (done.stdout, done.stderr) == (f"{file} is sound.\n", "")


def test_a_bar_tells_how_far_it_is_at_a_terminal(file: Path) -> None:
    ours, theirs = pty.openpty()
    done = subprocess.run(
        [*COMMAND, "check", str(file)],
        stdout=subprocess.PIPE,
        stderr=theirs,
        env={**os.environ, "TERM": "xterm", "COLUMNS": "80"},
        check=True,
        timeout=60,
    )
    os.close(theirs)
    seen = os.read(ours, 65536)
    os.close(ours)
    assert done.stdout.decode() == f"{file} is sound.\n"
    assert b"check" in seen
    assert b"0:00:0" in seen
    assert seen.rfind(b"\x1b[?25h") > seen.rfind(b"\x1b[?25l")  # the cursor is back


def test_nobody_reads(file: Path) -> None:
    with subprocess.Popen(
        [*COMMAND, "inspect", str(file)], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        assert process.stdout
        assert process.stderr
        process.stdout.close()
        assert process.stderr.read() == b""
    assert process.returncode == 1


def test_whoever_keeps_nothing_does_not_import_sqlite() -> None:
    code = "import sys, trido; sys.exit('sqlite3' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


# The guide ------------------------------------------------------------------------------------

GUIDE = ROOT / "docs" / "how-to" / "look-after-a-journal.rst"
DIRECTORY = "/srv/shop"


def shown() -> list[tuple[str, str]]:
    """Each command of the guide, and what it is to print."""
    text = GUIDE.read_text()
    blocks = re.findall(r"^\.\. code-block:: console\n\n((?:   .*\n|\n)+)", text, re.MULTILINE)
    found = []
    for block in blocks:
        for command in re.split(r"^   \$ ", block, flags=re.MULTILINE)[1:]:
            words, *lines = command.rstrip().splitlines()
            found.append((words, "".join(f"{line[3:]}\n" for line in lines)))
    return found


def test_the_guide_shows_what_the_commands_print(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    fill(tmp_path / "app.db")
    fill(tmp_path / "damaged.db")
    damage(tmp_path / "damaged.db")
    commands, code = shown(), 0
    assert {words.split()[2] for words, _ in commands if words != "echo $?"} == set(WORK)
    with opened(tmp_path / "app.db") as store:
        for words, output in commands:
            if words == "echo $?":
                assert output == f"{code}\n"
                continue
            if "# stopped" in words:
                store.close()
            arguments = words.partition("  #")[0].replace(DIRECTORY, str(tmp_path)).split()
            code = main(arguments[1:])
            said = capsys.readouterr()
            printed = (said.out + said.err).replace(str(tmp_path), DIRECTORY)
            assert doctest.OutputChecker().check_output(output, printed, doctest.ELLIPSIS), printed
