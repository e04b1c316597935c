"""The reference names everything public of this room, once, and nothing that is not there."""

from __future__ import annotations

import importlib
import re
from pathlib import Path
from types import ModuleType

import trido.testing
from trido.testing import strategies

PAGES = [
    Path(__file__).parents[2] / "docs" / "reference" / f"{name}.rst"
    for name in ("testing", "testing-strategies")
]
NAMED = [
    (module.removesuffix("."), name)
    for page in PAGES
    for module, name in re.findall(
        r"^\.\. auto(?!module)\w+:: (trido\.testing\.(?:\w+\.)?)(\w+)(?:\(\))?$",
        page.read_text(),
        re.MULTILINE,
    )
]


def public(module: ModuleType) -> set[str]:
    return {
        name
        for name, value in vars(module).items()
        if not name.startswith("_") and not isinstance(value, ModuleType) and name != "annotations"
    }


def test_the_reference_names_everything_public_once() -> None:
    named = sorted(name for module, name in NAMED if module == "trido.testing")
    assert named == sorted(public(trido.testing))


def test_it_names_every_strategy_once() -> None:
    named = sorted(name for module, name in NAMED if module == "trido.testing.strategies")
    assert named == sorted(strategies.__all__)


def test_what_it_names_is_there() -> None:
    assert all(hasattr(importlib.import_module(module), name) for module, name in NAMED)
