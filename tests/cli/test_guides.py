"""The guides to the command show what it prints; the reference names every option of it."""

from __future__ import annotations

import doctest
import re
import sys
from pathlib import Path

import pytest

from tests.cli.apps import Command
from trido.cli import main

pytestmark = pytest.mark.real_time

DOCS = Path(__file__).parents[2] / "docs"
GUIDES = {
    "run-and-inspect-an-app": ["shop"],
    "run-a-drill": ["shop"],
    "production-checklist": ["bank"],
}
"""Each guide, and the modules that its blocks of Python are."""


def blocks(text: str, language: str) -> list[str]:
    found = re.findall(rf"^\.\. code-block:: {language}\n\n((?:   .*\n|\n)+)", text, re.MULTILINE)
    return [re.sub(r"^   ", "", block, flags=re.MULTILINE).strip("\n") + "\n" for block in found]


def commands(text: str) -> list[tuple[str, str]]:
    """Each command of a guide, and what it is to print."""
    found = []
    for block in blocks(text, "console"):
        for command in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
            words, _, output = command.partition("\n")
            found.append((words, output))
    return found


@pytest.mark.parametrize("guide", GUIDES)
def test_a_guide_shows_what_the_commands_print(
    guide: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, trido: Command
) -> None:
    text = (DOCS / "how-to" / f"{guide}.rst").read_text()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    for name, block in zip(GUIDES[guide], blocks(text, "python"), strict=True):
        (tmp_path / f"{name}.py").write_text(block)
        monkeypatch.delitem(sys.modules, name, raising=False)
    code = 0
    for words, output in commands(text):
        if words == "echo $?":
            assert output == f"{code}\n"
            continue
        arguments = [quoted or word for quoted, word in re.findall(r'"([^"]*)"|(\S+)', words)]
        said = trido(*arguments[1:])
        code = said.code
        printed = said.out + said.err
        assert doctest.OutputChecker().check_output(output, printed, doctest.ELLIPSIS), printed


REFERENCE = (DOCS / "reference" / "command-line.rst").read_text()
ENTRIES = dict(re.findall(r"^``trido (\w+).*``\n((?:   .*\n)+)", REFERENCE, re.MULTILINE))
"""What the reference says, by command."""
UNIVERSAL = {"--help", "--version"}


def options(said: str) -> set[str]:
    return set(re.findall(r"(?<![\w-])--[a-z][a-z-]*", said)) - UNIVERSAL


def test_the_reference_has_an_entry_for_each_command(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--help"]) == 0
    listed = re.findall(r"^│ ([a-z]\w+) ", capsys.readouterr().out, re.MULTILINE)
    assert sorted(listed) == sorted(ENTRIES)


@pytest.mark.parametrize("command", ENTRIES)
def test_the_reference_names_every_option(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([command, "--help"]) == 0
    box = capsys.readouterr().out.partition("─ Parameters ─")[2]
    taken = options("\n".join(line[:24] for line in box.splitlines()))
    head = next(line for line in REFERENCE.splitlines() if line.startswith(f"``trido {command}"))
    assert taken == options(head + ENTRIES[command])


@pytest.mark.parametrize("command", sorted(ENTRIES.keys() - {"demo", "journal"}))
def test_its_help_has_examples_of_itself(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([command, "--help"]) == 0
    said = capsys.readouterr().out
    examples = re.findall(r"^ +trido (\w+)(.*)", said, re.MULTILINE)
    assert {name for name, _ in examples} == {command}
    assert options("".join(more for _, more in examples)) <= options(said.partition("─ ")[2])


def test_completion_is_offered(trido: Command) -> None:
    assert "--install-completion" in REFERENCE
    assert "--install-completion" in trido("--help").out


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_a_shell_completes_every_command(
    shell: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, trido: Command
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("XDG_DATA_HOME", raising=False)
    monkeypatch.delenv("XDG_CONFIG_HOME", raising=False)
    assert trido("--install-completion", "--shell", shell).code == 0
    scripts = [one.read_text() for one in tmp_path.rglob("*trido*") if one.is_file()]
    assert scripts
    assert all(command in scripts[0] for command in ENTRIES)
