"""Finds the application that the demo runs: ``examples/support_desk.py``.

There is one copy of it: in the checkout it is where it belongs, among the examples; a wheel, which
has no examples, carries it beside this file.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any, Final, Protocol, cast

from trido.runtime import Agent, Runtime
from trido.supervision import SupervisorSpec
from trido.supervision.policy import Strategy

_NAME: Final = "support_desk"
_HERE: Final = Path(__file__).parent
PLACES: Final = (
    _HERE / f"{_NAME}.py",
    _HERE.parents[1] / "examples" / f"{_NAME}.py",
)


class Application(Protocol):
    """What the demo needs of the example."""

    ADDRESSES: Mapping[str, str]
    """Which agent a letter is for, by its kind."""

    AGENTS: Sequence[Agent[Any]]
    """Their definitions."""

    def desk(
        self,
        strategy: Strategy = "one_for_one",
        max_restarts: int = 30,
        runtime: Runtime | None = None,
    ) -> SupervisorSpec:
        """The agents and their supervisor; durable, with a runtime that has a journal."""
        ...


def load() -> Application:
    """Import the example."""
    if _NAME not in sys.modules:
        path = next(path for path in PLACES if path.is_file())
        spec = spec_from_file_location(_NAME, path)
        if spec is None or spec.loader is None:  # pragma: no cover - it ends in .py
            raise ImportError(path)
        module = module_from_spec(spec)
        sys.modules[_NAME] = module  # its annotations are looked up there
        spec.loader.exec_module(module)
    return cast("Application", sys.modules[_NAME])
