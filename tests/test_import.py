"""Importing trido: whoever does not use a thing does not pay for it."""

from __future__ import annotations

import subprocess
import sys

from trido.supervision.options import TemplateOptions
from trido.supervision.spec import TEMPLATE_FIELDS

LATER = (
    "sqlite3 json pickle zoneinfo cronsim uuid_utils cattrs trio_parallel"
    " trido.journal.operations trido.journal.session trido.agents.codec trido.runtime.durable"
    " trido.supervision.options"
).split()


def test_importing_trido_loads_nothing_that_only_some_need() -> None:
    code = f"import sys, trido; print(*sys.modules.keys() & set({LATER}))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []


def test_what_a_template_may_say_is_what_type_checkers_know() -> None:
    assert tuple(TemplateOptions.__annotations__) == TEMPLATE_FIELDS
