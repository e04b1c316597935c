"""The pytest plugin of trido, as pytest finds it.

It stands outside of the package, and imports that only for tests that ask for it: whoever has trido
installed and does not use this pays nothing, and what measures coverage is there first. All that it
does is in ``trido.testing.plugin``.
"""

from __future__ import annotations

import argparse
import inspect

import pytest

MARKERS = (
    "trido(seed, plan, guarded, rehearsed, lasts, steps): run an async test in virtual time",
    "real_time: run an async test on the real clock, in spite of trido_mode",
)


def pytest_addoption(parser: pytest.Parser) -> None:
    """Have options, and an entry in the configuration."""
    group = parser.getgroup("trido")
    group.addoption(
        "--trido-seed", type=_seed, metavar="N", help="the seed of async tests in virtual time"
    )
    group.addoption(
        "--trido-plan", metavar="PLAN", help="what goes wrong in async tests in virtual time"
    )
    parser.addini(
        "trido_mode",
        "run all of pytest-trio's tests as if marked trido",
        type="bool",
        default=False,
    )


def pytest_configure(config: pytest.Config) -> None:
    """Have markers."""
    for marker in MARKERS:
        config.addinivalue_line("markers", marker)


@pytest.hookimpl(trylast=True)  # once pytest-trio has marked what is async
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Have the tests that ask for it run in virtual time."""
    everything = bool(config.getini("trido_mode"))
    wanted = [item for item in items if _wants(item, everything=everything)]
    if wanted:
        from trido.testing.plugin import prepare  # noqa: PLC0415

        prepare(config, wanted)


@pytest.fixture
def trido_seed(request: pytest.FixtureRequest) -> int:
    """A seed for ``trido.testing.run``: that of the session. The report of a failure says it."""
    from trido.testing.plugin import session_seed  # noqa: PLC0415

    return session_seed(request)


def _seed(text: str) -> int:
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"{text!r} is no seed: it must be an int >= 0")
    return int(text)


def _wants(item: pytest.Item, *, everything: bool) -> bool:
    marker = item.get_closest_marker("trido")
    if marker:
        test = getattr(item, "obj", None)
        given = getattr(test, "hypothesis", None)  # what it makes of an async test is not async
        is_async = inspect.iscoroutinefunction(getattr(given, "inner_test", test))
        return is_async or bool(marker.args or marker.kwargs)
    is_trios = item.get_closest_marker("trio") and not item.get_closest_marker("real_time")
    return everything and bool(is_trios)
