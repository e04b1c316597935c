"""Errors survive what errors go through: being copied, pickled and read by people."""

from __future__ import annotations

import pickle

import pytest

import trido

ERRORS = [
    trido.SpecError("shutdown", -1, "a number of seconds >= 0", of="ChildSpec 'a'"),
    trido.DuplicateChild("a", of="SupervisorSpec 'root'"),
    trido.StartFailed("a", ValueError("why")),
    trido.NotStarted("a"),
    trido.StartTimeout("a", 1.5),
    trido.Unresponsive("a", 2.0),
    trido.RestartLimitExceeded("root", "a", "crashed 4 times in 5 s; limit is 3"),
    trido.SupervisorStopped("root"),
    trido.MaxChildren("root", 3),
    trido.ChildNotFound("a"),
    trido.ChildAlreadyStarted("a"),
    trido.ChildAlreadyPresent("a"),
    trido.ChildRunning("a"),
    trido.ChildRestarting("a"),
]


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
def test_an_error_is_the_same_after_a_journey(error: trido.TridoError) -> None:
    arrived = pickle.loads(pickle.dumps(error))
    assert type(arrived) is type(error)
    assert str(arrived) == str(error)


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
def test_an_error_names_the_thing(error: trido.TridoError) -> None:
    name = "root" if isinstance(error, (trido.SupervisorStopped, trido.MaxChildren)) else "a"
    assert repr(name) in str(error)
