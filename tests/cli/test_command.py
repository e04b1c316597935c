"""The command line: what may be said, and a sentence and exit code 2 for what may not."""

import math
import os
import runpy
import sys
from importlib import util
from pathlib import Path

import pytest

from trido import cli
from trido.cli import command
from trido.cli.session import Options
from trido.cli.source import BUNDLED


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[Options]:
    asked = list[Options]()

    def run(options: Options) -> int:
        asked.append(options)
        return 7

    monkeypatch.setattr(command, "run_demo", run)
    return asked


def test_defaults(asked: list[Options]) -> None:
    assert cli.main(["demo"]) == 7
    assert asked == [Options(input=BUNDLED)]


def test_everything(asked: list[Options]) -> None:
    words = "--input x --strategy rest_for_one --max-restarts 0 --speed 2.5 --seed 3 --json"
    assert cli.main(["demo", *words.split()]) == 7
    assert asked == [
        Options(
            input=Path("x"),
            strategy="rest_for_one",
            max_restarts=0,
            speed=2.5,
            seed=3,
            json=True,
        )
    ]


def test_max_speed(asked: list[Options]) -> None:
    assert cli.main(["demo", "--speed", "max"]) == 7
    assert asked[0].speed == math.inf


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("demo --speed 0", '"0" is not a speed'),
        ("demo --speed -1", "is not a speed"),
        ("demo --speed nan", '"nan" is not a speed'),
        ("demo --speed inf", '"inf" is not a speed'),
        ("demo --speed fast", '"fast" is not a speed'),
        ("demo --max-restarts -1", "Must be >= 0"),
        ("demo --max-restarts many", 'unable to convert "many" into int'),
        ("demo --strategy all", 'Choose from: "one_for_one"'),
        ("demo --seed x", 'unable to convert "x" into int'),
        ("demo --input", "requires an argument"),
        ("demo --bogus", "--bogus"),
        ("demo extra", "extra"),
        ("bogus", "bogus"),
    ],
)
def test_wrong_usage(
    words: str, said: str, asked: list[Options], capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(words.split()) == 2
    assert said in " ".join(capsys.readouterr().err.split())
    assert not asked


@pytest.mark.parametrize("words", ["", "--help", "demo --help", "--version"])
def test_help(words: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(words.split()) == 0
    assert capsys.readouterr().out


def test_without_the_extra(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(cli, "find_spec", lambda name: None if name == "rich" else util)
    assert cli.main([]) == 2
    assert "in a clone of trido: python3 -m pip install '.[cli]'" in capsys.readouterr().err


@pytest.mark.filterwarnings("ignore:Cyclopts application invoked without tokens")
def test_as_a_module(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["trido", "--version"])
    with pytest.raises(SystemExit) as end:
        runpy.run_module("trido", run_name="__main__")
    assert end.value.code == 0


def test_interrupted_at_any_moment(monkeypatch: pytest.MonkeyPatch) -> None:
    def run(options: Options) -> int:
        raise KeyboardInterrupt

    monkeypatch.setattr(command, "run_demo", run)
    assert cli.main(["demo"]) == 130


def test_nobody_reads_any_more(monkeypatch: pytest.MonkeyPatch) -> None:
    def run(options: Options) -> int:
        raise BrokenPipeError

    silenced = list[int]()
    monkeypatch.setattr(command, "run_demo", run)
    with monkeypatch.context() as patch:
        patch.setattr(os, "dup2", lambda source, target: silenced.append(target))
        assert cli.main(["demo"]) == 1
    assert silenced == [sys.stdout.fileno()]
