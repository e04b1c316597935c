"""``trido new``: what it writes passes its own tests, and does what its README says."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.apps import Command, Said
from trido.cli.new import files

pytestmark = pytest.mark.real_time


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, trido: Command) -> Path:
    monkeypatch.chdir(tmp_path)
    assert trido("new", "shop-service") == Said(
        0,
        "shop-service is a project that passes its tests:\n"
        "  cd shop-service\n"
        "  pip install -e '.[test]'\n"
        "  pytest\n"
        "  trido run shop_service.service --watch\n",
        "",
    )
    return tmp_path / "shop-service"


def test_it_passes_its_own_tests(project: Path) -> None:
    # How the tests around it are run is nothing to it.
    others = {name: one for name, one in os.environ.items() if not name.startswith("PYTEST_")}
    environment = {**others, "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-W", "error", "-p", "no:cacheprovider"],
        cwd=project,
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "5 passed" in done.stdout


def test_the_commands_of_its_readme_work(
    project: Path, trido: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "path", [*sys.path, str(project / "src")])
    commands = re.findall(r"^    trido (.*)$", (project / "README.md").read_text(), re.MULTILINE)
    assert [one.split()[0] for one in commands] == ["tree", "run", "explain", "drill", "doctor"]
    for one in commands:
        if not one.startswith("run"):  # it would not end
            said = trido(*one.split())
            assert (said.code, said.err) == (0, ""), said


def test_nothing_of_the_template_is_left(project: Path) -> None:
    written = {one for one in project.rglob("*") if one.is_file() and one.suffix != ".pyc"}
    assert {str(one.relative_to(project)) for one in written} == set(files("shop-service"))
    assert not [one for one in written if re.search(r"@\w+@", one.read_text())]


@pytest.mark.parametrize(
    "name",
    [
        *("Shop", "2shop", "shop_", "-shop", "shop service", "a/../b/"),
        *("json", "trio", "tests", "class", "pytest", "pytest-trio", "hypothesis", "rich"),
    ],
)
def test_no_project_is_called_so(
    name: str, trido: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    said = trido("new", "--", name)
    if name == "a/../b/":
        assert said.err.startswith("trido new: cannot write ")
    else:
        assert f"{name!r} cannot be the name of a project: " in said.err
    assert (said.code, said.out) == (2, "")
    assert not [*tmp_path.iterdir()]


def test_what_is_there_is_left_alone(project: Path, trido: Command) -> None:
    before = (project / "README.md").read_bytes()
    assert trido("new", "shop-service") == Said(
        2, "", "trido new: shop-service is there already; nothing was written\n"
    )
    assert (project / "README.md").read_bytes() == before
