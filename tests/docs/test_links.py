"""What the pages point to is there."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted(ROOT.glob("docs/**/*.rst"))]


def named(text: str) -> set[str]:
    """Files of the repository: those a link leads to, and examples, by their paths."""
    links = re.findall(r"\]\((?!https?:)([^)#]+)\)", text)
    return {*links, *re.findall(r"\bexamples/\w+\.py\b", text)}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_file_that_is_named_exists(page: Path) -> None:
    missing = {name for name in named(page.read_text()) if not (ROOT / name).exists()}
    assert not missing


def test_the_readme_names_some() -> None:
    assert {"docs/explanation/guarantees.rst", "LICENSE"} <= named(PAGES[0].read_text())
