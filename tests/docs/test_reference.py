"""The reference names everything public, once, and nothing else."""

import re
from pathlib import Path
from types import ModuleType

import trido
import trido.testing

PAGES = sorted((Path(__file__).parents[2] / "docs" / "reference").glob("*.rst"))
PUBLIC = set(trido.__all__) - {"events"}


def test_every_public_name_is_in_the_reference() -> None:
    text = "\n".join(page.read_text() for page in PAGES)
    names = re.findall(r"^\.\. auto(?!module)\w+:: trido\.(\w+)(?:\(\))?$", text, re.MULTILINE)
    assert sorted(names) == sorted(PUBLIC)


def test_everything_for_tests_is_in_the_reference() -> None:
    text = "\n".join(page.read_text() for page in PAGES)
    pattern = r"^\.\. auto(?!module)\w+:: trido\.testing\.(\w+)(?:\(\))?$"
    public = {name for name, value in vars(trido.testing).items() if is_public(name, value)}
    assert public == set(re.findall(pattern, text, re.MULTILINE))


def is_public(name: str, value: object) -> bool:
    return not (name.startswith("_") or isinstance(value, ModuleType) or name == "annotations")


def test_every_event_is_in_the_reference() -> None:
    """By automodule, which shows what the module's ``__all__`` names."""
    assert any(".. automodule:: trido.events" in page.read_text() for page in PAGES)
    assert all(vars(trido.events)[name].__doc__ for name in trido.events.__all__)
