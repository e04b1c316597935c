"""What every test runs under: virtual time, and a profile of Hypothesis."""

import os
import signal
from collections.abc import Awaitable, Callable, Sequence
from importlib.util import find_spec

import pytest
import trio
from hypothesis import HealthCheck, settings
from trio.testing import MockClock

# No deadlines: they measure the machine. A test that sets max_examples itself takes no part.
settings.register_profile("default", deadline=None)
# The same search every time: a gate judges the commit. Finding what is new is for `deep`.
settings.register_profile("ci", settings.get_profile("default"), derandomize=True, database=None)
settings.register_profile(
    "deep",
    settings.get_profile("default"),
    max_examples=10_000,
    suppress_health_check=[HealthCheck.too_slow],
    print_blob=True,
)
# Whoever starts tests in the background may have Ctrl-C ignored, which some of them raise.
signal.signal(signal.SIGINT, signal.default_int_handler)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "default"))

# The extra trio-typing is not part of `test`; this test is for an environment that has it.
collect_ignore = [] if find_spec("trio_typing") else ["test_trio_typing.py"]


def run_in_virtual_time(
    main: Callable[[], Awaitable[None]],
    *,
    clock: trio.abc.Clock | None,
    instruments: Sequence[trio.abc.Instrument],
) -> None:
    """`trio.run` on a clock that jumps to the next deadline, unless the test asked for another."""
    trio.run(main, clock=clock or MockClock(autojump_threshold=0), instruments=instruments)


@pytest.hookimpl(trylast=True)  # once pytest-trio has marked what is async
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if not item.get_closest_marker("trio"):
            continue
        if hasattr(getattr(item, "obj", None), "hypothesis"):
            # Its examples would share one clock, which is the real one.
            message = f"{item.nodeid}: with @given, write a plain test that calls trio.run()"
            raise pytest.UsageError(message)
        if not item.get_closest_marker("real_time"):
            item.add_marker(pytest.mark.trio(run=run_in_virtual_time), append=False)
