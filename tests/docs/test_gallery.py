"""The gallery shows every example once."""

import re
from pathlib import Path

from docs._ext import example_pages

PAGE = Path(__file__).parents[2] / "docs" / "examples.rst"


def shown() -> list[str]:
    lists: list[str] = re.findall(r"^\.\. examples:: (.+)$", PAGE.read_text(), re.MULTILINE)
    return [name for names in lists for name in names.split()]


def test_every_example_is_in_the_gallery_once() -> None:
    assert sorted(shown()) == sorted(path.stem for path in example_pages.FOLDER.glob("*.py"))


def test_every_example_says_what_to_watch_for() -> None:
    for name in shown():
        source = (example_pages.FOLDER / f"{name}.py").read_text()
        text = example_pages.page(name, source)
        assert "Watch for: " in text, name
        assert "def main(" in text, name
        assert text.count('"""\n') < source.count('"""\n'), "the docstring is not shown as code"
