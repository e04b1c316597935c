"""What the pages say to install can be installed: from a clone, since no index has it."""

import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
ROOMS = ["tutorial", "how-to", "explanation", "reference"]
PAGES = [
    ROOT / "README.md",
    *sorted(ROOT.glob("docs/*.rst")),
    *sorted(page for room in ROOMS for page in ROOT.glob(f"docs/{room}/*.rst")),
]
HYPOTHESIS = r"^ +(?:from|import) (?:hypothesis|trido\.testing\.(?:strategies|machine))\b"
"""What needs it is imported."""


def from_an_index(text: str) -> list[str]:
    """What is to be installed by name."""
    return re.findall(r"pip\s+install\s+(?:-\S+\s+)*['\"]?trido\b\S*", text)


def extras(text: str) -> set[str]:
    """Those that are to be installed from a clone."""
    found = re.findall(r"pip\s+install\s+(?:-e\s+)?'\.\[([^\]]+)\]'", text)
    return {extra for some in found for extra in some.split(",")}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_no_page_installs_trido_by_its_name(page: Path) -> None:
    assert not from_an_index(page.read_text())


def test_every_extra_that_is_to_be_installed_exists() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    named = set().union(*(extras(page.read_text()) for page in PAGES))
    assert {"cli", "llm", "testing", "web"} <= named <= set(project["optional-dependencies"])


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_a_page_that_takes_hypothesis_says_how_to_get_it(page: Path) -> None:
    text = page.read_text()
    if re.search(HYPOTHESIS, text, re.MULTILINE):
        assert "testing" in extras(text)


@pytest.mark.parametrize(
    "text", ["pip install trido[testing]", "pip install 'trido[cli]'", "pip  install -U trido"]
)
def test_a_page_that_does_is_seen(text: str) -> None:
    assert from_an_index(text) == [text.rstrip()]
