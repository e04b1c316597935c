"""Importing trido: whoever does not use a thing does not pay for it."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence

import pytest

import trido
from trido.supervision.options import TemplateOptions
from trido.supervision.spec import TEMPLATE_FIELDS

AGENTS = "trido.agents trido.journal trido.runtime".split()
LATER = (
    "sqlite3 json pickle zoneinfo cronsim uuid_utils cattrs trio_parallel"
    " trido.journal.operations trido.journal.session trido.agents.codec trido.runtime.durable"
    " trido.supervision.options"
).split()


def loaded_by(code: str, names: Sequence[str]) -> set[str]:
    """Which of these modules a fresh interpreter has loaded then."""
    code = f"import sys, trido; {code}; print(*sys.modules.keys() & {set(names)})"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return set(done.stdout.split())


def test_importing_trido_loads_nothing_of_agents() -> None:
    assert loaded_by("trido.open_supervisor", AGENTS) == set()


def test_the_first_name_of_agents_loads_them_but_nothing_that_only_some_need() -> None:
    assert loaded_by("trido.Signal", [*AGENTS, *LATER]) == set(AGENTS)


def test_every_name_is_there_however_it_is_asked_for() -> None:
    names: dict[str, object] = {}
    exec("from trido import *", names)
    assert names.keys() - {"__builtins__"} == set(trido.__all__)
    assert set(trido.__all__) <= set(dir(trido))


def test_a_name_that_is_none_is_an_error_that_can_suggest_another() -> None:
    with pytest.raises(AttributeError, match="module 'trido' has no attribute 'Agnet'") as caught:
        trido.Agnet  # type: ignore[attr-defined]  # noqa: B018  # wrong on purpose
    assert (caught.value.name, caught.value.obj) == ("Agnet", trido)


def test_what_a_template_may_say_is_what_type_checkers_know() -> None:
    assert tuple(TemplateOptions.__annotations__) == TEMPLATE_FIELDS
