"""The demo as it is run: what it prints, how it ends, and how it is stopped."""

import io
import json
import math
import os
import pty
import re
import select
import signal
import subprocess
import sys
from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest
import trio
from attrs import evolve
from rich.console import Console
from trio.testing import MockClock

from tests.cli.test_accounting import INVOICE, LINES, session_of, written
from trido import events
from trido.cli import application, demo
from trido.cli.messages import Messages
from trido.cli.panel import Snapshot, panel
from trido.cli.report import Result, print_report
from trido.cli.session import Options, Session
from trido.cli.show import Show
from trido.cli.source import BUNDLED

COMMAND = (sys.executable, "-m", "trido", "demo")
KEYS = {
    "lines",
    "handled",
    "refused",
    "dead_lettered",
    "crashes",
    "restarts",
    "recover_p50_ms",
    "recover_p99_ms",
    "unaccounted",
}


def in_virtual_time(path: Path, **options: Any) -> int:
    clock = MockClock(autojump_threshold=0)
    return demo.demo(Options(input=path, **{"speed": math.inf, **options}), clock=clock)


# In this process, in virtual time -------------------------------------------------------------


def test_the_bundled_day(capsys: pytest.CaptureFixture[str]) -> None:
    assert in_virtual_time(BUNDLED, speed=1.0, json=True) == 0
    out, err = capsys.readouterr()
    report = json.loads(out.splitlines()[-1])
    assert report.keys() >= KEYS
    assert report["lines"] == 2000
    assert report["unaccounted"] == report["settled_twice"] == report["not_delivered"] == 0
    assert report["handled"] + report["refused"] + report["dead_lettered"] == 2000
    assert report["crashes"] == report["restarts"] == report["dead_lettered"] > 10
    assert report["recover_p99_ms"] == pytest.approx(50)  # its backoff, in virtual time
    assert report["billing_while_support_was_down_count"] > 0
    assert 20 < report["seconds"] < 40
    assert "refused   line 98: empty line" in err
    assert "crash     support, run 1, on line 7: KeyError: 'asap'" in err
    assert "restart   support is back after 50.0 ms, run 3" in err
    assert "billing running (run 1, mailbox 0)" in err
    assert "Every line is accounted for." in err


@pytest.mark.parametrize("strategy", ["one_for_all", "rest_for_one"])
def test_a_sibling_that_goes_along(strategy: str, capsys: pytest.CaptureFixture[str]) -> None:
    with written([LINES["support crashes"]]) as path:
        assert in_virtual_time(path, strategy=strategy) == 0
    assert "billing is back with the others, run 2" in capsys.readouterr().out


def test_giving_up(capsys: pytest.CaptureFixture[str]) -> None:
    assert in_virtual_time(BUNDLED, max_restarts=0, json=True) == 1
    out, err = capsys.readouterr()
    report = json.loads(out)
    assert report["lines"] == 2000
    assert report["unaccounted"] == 0
    assert report["not_delivered"] > 1900
    assert report["reasons"]["not_delivered"] == {"the supervisor gave up": report["not_delivered"]}
    assert "gave up   supervisor 'desk' gave up" in err
    assert "Every line is accounted for." in err


def test_a_call_that_crashes_the_agent(capsys: pytest.CaptureFixture[str]) -> None:
    with written([LINES["billing crashes"]]) as path:
        assert in_virtual_time(path) == 0
    assert "dead      line 1: billing crashed on it: InvalidOperation" in capsys.readouterr().out


@pytest.fixture
def as_it_was() -> Generator[None]:
    """What Ctrl-C does."""
    handler = signal.getsignal(signal.SIGINT)
    yield
    signal.signal(signal.SIGINT, handler)


@pytest.mark.usefixtures("as_it_was")
def test_ctrl_c(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    hear = Session.hear

    def interrupt(session: Session, event: events.Event) -> None:
        hear(session, event)
        if isinstance(event, events.ChildEnded):
            signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr(Session, "hear", interrupt)
    assert in_virtual_time(BUNDLED, json=True) == 130
    report = json.loads(capsys.readouterr().out)
    assert report["problem"] == "Stopped by Ctrl-C, in order."
    assert report["unaccounted"] == 0


def test_no_input(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert in_virtual_time(tmp_path / "nowhere") == 2
    assert capsys.readouterr().err.startswith("trido demo: cannot read ")


def test_an_empty_device(capsys: pytest.CaptureFixture[str]) -> None:
    assert demo.demo(Options(input=Path(os.devnull))) == 2
    assert capsys.readouterr().err == f"trido demo: {os.devnull} is empty\n"


def test_lines_that_are_lost_are_named() -> None:
    with written([LINES["ticket"]] * 5) as path:
        session = session_of(path)
        with session.source:
            for line in range(1, 6):
                session.ledger.open(line)
            result = session.result()
    result = Result(
        ledger=result.ledger, figures=result.figures, seconds=1.0, exit_code=1, problem=None
    )
    console = Console(file=io.StringIO(), width=80)
    print_report(console, result)
    said = console.file.getvalue()  # type: ignore[attr-defined]
    assert re.search(r"5  unaccounted for +1, 2, 3 …", said)
    assert "5 lines are not accounted for exactly once." in said


def test_many_reasons_are_not_all_listed(capsys: pytest.CaptureFixture[str]) -> None:
    lines = [json.dumps(INVOICE | {"total": str(total)}).encode() for total in range(100, 130)]
    with written(lines) as path:
        assert in_virtual_time(path) == 0
    assert "and 10 more reasons" in capsys.readouterr().out


# On a terminal --------------------------------------------------------------------------------


def test_the_live_picture_fits_a_small_terminal() -> None:
    with written([LINES["ticket"], LINES["support crashes"], LINES["invoice"]] * 100) as path:
        session = session_of(path, speed=1.0)
        screen = io.StringIO()
        session.console = Console(
            file=screen, force_terminal=True, width=80, height=24, legacy_windows=False
        )
        with session.source:
            trio.run(session.run, clock=MockClock(autojump_threshold=0))
    text = re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", screen.getvalue())
    assert max(map(len, re.split(r"[\r\n]", text))) <= 80
    assert re.search(r"─ desk · one_for_one · \d+ of 1000 restarts in 5 s ─", text)
    assert re.search(r"├── support +(running|restarting) +\d+ +\d+ +\d+", text)
    assert re.search(r"└── billing +running +1 +0 +\d+", text)
    assert re.search(r"crash +support, run 1, on line 2: ZeroDivisionError", text)
    assert re.search(r"billing answers in [\d.]+ ms", text)


def test_what_has_no_size_has_no_progress_bar() -> None:
    with written([b""]) as path:
        session = session_of(path)
        with session.source:
            trio.run(session.run, clock=MockClock(autojump_threshold=0))
            picture = evolve(trio.run(snapshot, session), progress=None)
    console = Console(file=io.StringIO(), width=60)
    console.print(panel(picture, console.width))
    said = console.file.getvalue()  # type: ignore[attr-defined]
    assert max(map(len, said.splitlines())) <= 60
    assert re.search(r"│ 1 lines +│", said)


async def snapshot(session: Session) -> Snapshot:
    picture = session.snapshot()
    assert picture is not None
    return picture


async def test_there_is_no_picture_before_there_is_a_desk() -> None:
    for terminal in (True, False):
        console = Console(file=io.StringIO(), force_terminal=terminal)
        with trio.move_on_after(10):
            await Show(console, Messages(), lambda: None).run()


# As a process ---------------------------------------------------------------------------------


def run(*options: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*COMMAND, *options], capture_output=True, text=True, timeout=60, check=False
    )


@pytest.mark.real_time
def test_max_speed() -> None:
    done = run("--speed", "max", "--json")
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert report.keys() >= KEYS
    assert report["lines"] == 2000
    assert report["unaccounted"] == 0
    assert report["crashes"] == report["restarts"] > 0
    assert 0 < report["recover_p50_ms"] <= report["recover_p99_ms"]
    assert "Traceback" not in done.stderr


@pytest.mark.real_time
def test_plain_output() -> None:
    done = run("--speed", "max", "--max-restarts", "1")
    assert done.returncode == 1
    assert "\x1b" not in done.stdout
    assert "the supervisor gave up" in done.stdout
    assert done.stderr == ""


@pytest.mark.real_time
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_stopped_by_a_signal(number: signal.Signals, code: int) -> None:
    process = subprocess.Popen(
        [*COMMAND, "--json"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    with process:
        assert process.stderr is not None
        process.stderr.readline()  # the crash on line 7
        process.send_signal(number)
        out, err = process.communicate(timeout=30)
    assert process.returncode == code
    report = json.loads(out)
    assert 0 < report["lines"] < 2000
    assert report["unaccounted"] == 0
    assert "in order." in report["problem"]
    assert "Traceback" not in err


@pytest.mark.real_time
def test_nobody_reads() -> None:
    process = subprocess.Popen(
        [*COMMAND, "--speed", "max"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    with process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        assert process.stderr.read() == ""
    assert process.returncode == 1


@pytest.mark.real_time
def test_ctrl_c_at_a_terminal() -> None:
    pid, terminal = pty.fork()
    if pid == 0:  # pragma: no cover - another process
        os.environ["TERM"] = "xterm"
        os.execv(sys.executable, COMMAND)
    seen = b""
    pressed = False
    while True:
        try:
            ready, _, _ = select.select([terminal], [], [], 30)
            seen += os.read(terminal, 65536) if ready else b""
        except OSError:
            break
        if not pressed and b"support" in seen:
            os.write(terminal, b"\x03")
            pressed = True
        assert ready
    _, status = os.waitpid(pid, 0)
    os.close(terminal)
    assert os.waitstatus_to_exitcode(status) == 130
    assert b"Stopped by Ctrl-C, in order." in seen
    assert b"Every line is accounted for." in seen
    assert seen.rfind(b"\x1b[?25h") > seen.rfind(b"\x1b[?25l")  # the cursor is back


def test_the_example_is_found_beside_the_package_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As in a wheel."""
    monkeypatch.delitem(sys.modules, "support_desk", raising=False)
    copy = tmp_path / "support_desk.py"
    copy.write_text(application.PLACES[-1].read_text())
    monkeypatch.setattr(application, "PLACES", (tmp_path / "nowhere.py", copy))
    assert application.load().desk().name == "desk"
    monkeypatch.delitem(sys.modules, "support_desk")
