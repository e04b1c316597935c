"""One measurement, in a process of its own. Standard library only.

``python -m tests.benchmarks.child CONTENDER`` says what the contender can do;
``… CONTENDER FUNCTION SIZE WARM_UP CLOCK`` has it do that, and says what it took, by the time that
passes (``wall``) or by what the processor spent on this process (``cpu``). The answer is JSON, on
the last line.
"""

from __future__ import annotations

import json
import sys
import time
from importlib import import_module
from importlib.metadata import version
from platform import python_version
from types import ModuleType
from typing import Any


def module_of(contender: str) -> ModuleType:
    return import_module(f"tests.benchmarks.contenders.with_{contender}")


def describe(contender: str) -> dict[str, Any]:
    """Its version, its functions and their limits; or what is missing."""
    try:
        module = module_of(contender)
    except ImportError as error:
        return {"missing": str(error)}
    return {
        "version": version(module.PACKAGE) if module.PACKAGE else python_version(),
        "functions": [name for name in vars(module) if name[0] == "w" and name[1:2].isdigit()],
        "limits": getattr(module, "LIMITS", {}),
    }


def measure(contender: str, function: str, size: int, warm_up: int) -> dict[str, float]:
    """The figures of the second of two runs; the first warms up, and is smaller."""
    run = getattr(module_of(contender), function)
    run(warm_up)
    figures: dict[str, float] = run(size)
    return figures


def main(contender: str, *job: str) -> None:
    if not job:
        print(json.dumps(describe(contender)))
        return
    function, size, warm_up, clock = job
    if clock == "cpu":  # before any contender takes it
        time.perf_counter = time.process_time
    print(json.dumps(measure(contender, function, int(size), int(warm_up))))


if __name__ == "__main__":
    main(*sys.argv[1:])
