"""Apps as a reader would have them, written to files, and the command called on them."""

from __future__ import annotations

import itertools
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple, TypeAlias

import pytest

from trido.cli import main

NUMBERS = itertools.count()


class Said(NamedTuple):
    code: int
    out: str
    err: str


Command: TypeAlias = Callable[..., Said]
Write: TypeAlias = Callable[[str], str]


def command(capsys: pytest.CaptureFixture[str]) -> Command:
    """Runs ``trido …``."""

    def run(*words: str) -> Said:
        capsys.readouterr()
        code = main(words)
        said = capsys.readouterr()
        return Said(code, str(said.out), str(said.err))

    return run


def writer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Write:
    """Writes a module, and returns its name."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])

    def write(text: str) -> str:
        name = f"app_{next(NUMBERS)}"
        (tmp_path / f"{name}.py").write_text(HEAD + textwrap.dedent(text))
        return name

    return write


HEAD = """
from contextlib import asynccontextmanager

import trio
from attrs import evolve, frozen

import trido
from trido import ChildSpec, SupervisorSpec

async def feed(): await trio.sleep_forever()
async def clock(): await trio.sleep_forever()
async def once(): await trio.sleep(1.0)
async def broken(): raise ConnectionError("connection lost")
"""
