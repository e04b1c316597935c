"""What a policy may be, what is said of one that cannot be, and how long a backoff waits."""

from __future__ import annotations

import math
from typing import Any

import pytest

import trido
from trido.supervision.policy import BRUTAL_KILL, Backoff, ChildPolicy

NAN = math.nan

BACKOFFS: list[tuple[dict[str, Any], str]] = [
    ({"min": -1}, "min=-1 is not allowed; it must be a finite number of seconds >= 0"),
    ({"min": math.inf}, "min=inf is not allowed; it must be a finite number of seconds >= 0"),
    ({"max": 0.05}, "max=0.05 is not allowed; it must be a finite number of seconds >= 0.1"),
    ({"max": math.inf}, "max=inf is not allowed; it must be a finite number of seconds >= 0.1"),
    ({"reset_after": -1}, "reset_after=-1 is not allowed; it must be a number of seconds >= 0"),
    ({"factor": 0.5}, "factor=0.5 is not allowed; it must be a finite number >= 1"),
    ({"factor": math.inf}, "factor=inf is not allowed; it must be a finite number >= 1"),
    ({"factor": True}, "factor=True is not allowed; it must be a finite number >= 1"),
    ({"jitter": -0.5}, "jitter=-0.5 is not allowed; it must be a finite number >= 0"),
    ({"jitter": math.inf}, "jitter=inf is not allowed; it must be a finite number >= 0"),
    ({"jitter": True}, "jitter=True is not allowed; it must be a finite number >= 0"),
]


@pytest.mark.parametrize(("fields", "said"), BACKOFFS)
def test_a_backoff_that_cannot_be_says_what_it_must_be(fields: dict[str, Any], said: str) -> None:
    with pytest.raises(trido.SpecError) as caught:
        Backoff(**fields)
    assert str(caught.value) == f"Backoff: {said}"
    ((field, value),) = fields.items()
    assert (caught.value.field, caught.value.value) == (field, value)


def test_the_widest_backoff_that_can_be() -> None:
    backoff = Backoff(min=0, max=0, factor=1, jitter=0, reset_after=math.inf)
    assert [backoff.delay(n) for n in (1, 2, 9)] == [0, 0, 0]
    Backoff(jitter=1.5)


def test_the_nth_attempt_waits_factor_times_as_long_up_to_max() -> None:
    backoff = Backoff(min=0.5, max=3.0, factor=2.0, jitter=0.5)
    assert [backoff.delay(n) for n in (0, 1, 2, 3, 4, 5, 10**6)] == [0, 0, 0.5, 1, 2, 3, 3]
    assert [backoff.delay(n, 0.5) for n in (1, 2, 3, 10**6)] == [0, 0.625, 1.25, 3.75]


SIGNIFICANT = "False for a permanent child, which never ends for good"
GRACE = "a number of seconds >= 0, math.inf or trido.BRUTAL_KILL"
POLICIES: list[tuple[dict[str, Any], str, str, str]] = [
    ({"restart": "always"}, "restart", "'always'", "one of 'permanent', 'transient', 'temporary'"),
    ({"shutdown": -1}, "shutdown", "-1", GRACE),
    ({"shutdown": NAN}, "shutdown", "nan", GRACE),
    ({"shutdown": "soon"}, "shutdown", "'soon'", GRACE),
    ({"start_timeout": -1}, "start_timeout", "-1", "a number of seconds >= 0"),
    ({"significant": 1}, "significant", "1", "True or False"),
    ({"backoff": 1.0}, "backoff", "1.0", "a trido.Backoff or None"),
    ({"on_limit": "wait"}, "on_limit", "'wait'", "one of 'escalate', 'park'"),
    ({"significant": True}, "significant", "True", SIGNIFICANT),
]


@pytest.mark.parametrize(("fields", "field", "value", "allowed"), POLICIES)
def test_a_policy_that_cannot_be_says_what_it_must_be(
    fields: dict[str, Any], field: str, value: str, allowed: str
) -> None:
    with pytest.raises(trido.SpecError) as caught:
        ChildPolicy(**fields).check("ChildSpec 'a'")
    said = f"ChildSpec 'a': {field}={value} is not allowed; it must be {allowed}"
    assert str(caught.value) == said
    assert (caught.value.field, repr(caught.value.value)) == (field, value)


@pytest.mark.parametrize(
    "fields",
    [
        *({"restart": one} for one in ("permanent", "transient", "temporary")),
        *({"shutdown": one} for one in (0, 1.5, math.inf, BRUTAL_KILL)),
        *({"start_timeout": one} for one in (0, math.inf)),
        *({"on_limit": one} for one in ("escalate", "park")),
        *({"significant": True, "restart": one} for one in ("transient", "temporary")),
        {"backoff": Backoff()},
    ],
)
def test_what_a_policy_may_be(fields: dict[str, Any]) -> None:
    ChildPolicy(**fields).check("ChildSpec 'a'")


def test_a_brutal_kill_leaves_no_grace_and_says_its_name() -> None:
    assert ChildPolicy(shutdown=BRUTAL_KILL).grace == 0
    assert ChildPolicy(shutdown=1.5).grace == 1.5
    assert repr(BRUTAL_KILL) == "trido.BRUTAL_KILL"
