"""What every test runs under: a profile of Hypothesis. Virtual time is `trido_mode`."""

import os
import signal
from importlib.util import find_spec

from hypothesis import HealthCheck, Phase, settings

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
# For tests.mutation: a failure is enough, and need not be small.
settings.register_profile(
    "mutation", settings.get_profile("ci"), max_examples=10, phases=[Phase.generate]
)
# Whoever starts tests in the background may have Ctrl-C ignored, which some of them raise.
signal.signal(signal.SIGINT, signal.default_int_handler)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "default"))

# The extra trio-typing is not part of `test`; this test is for an environment that has it.
collect_ignore = [] if find_spec("trio_typing") else ["test_trio_typing.py"]


def pytest_make_parametrize_id(val: object, argname: str) -> str | None:
    """Where something is in memory is no part of a test's id: each process has to find the same."""
    return argname if isinstance(val, str) and " at 0x" in val else None
