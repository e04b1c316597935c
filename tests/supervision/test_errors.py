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
    assert repr(arrived) == repr(error)
    assert {key: repr(value) for key, value in vars(arrived).items()} == {
        key: repr(value) for key, value in vars(error).items()
    }


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
def test_an_error_names_the_thing(error: trido.TridoError) -> None:
    name = "root" if isinstance(error, (trido.SupervisorStopped, trido.MaxChildren)) else "a"
    assert repr(name) in str(error)


WHY = ValueError("why")
WORDS: list[tuple[type[trido.TridoError], tuple[object, ...], str, dict[str, object]]] = [
    (
        trido.DuplicateChild,
        ("a",),
        "id='a' is not allowed; it must be different from the id of every other child",
        {"field": "id", "value": "a", "id": "a", "of": "", "args": ("a",)},
    ),
    (
        trido.StartFailed,
        ("a", WHY),
        "child 'a' did not start: ValueError('why')",
        {"id": "a", "reason": WHY, "__cause__": WHY},
    ),
    (
        trido.NotStarted,
        ("a",),
        "child 'a' returned before it called task_status.started()",
        {"id": "a"},
    ),
    (
        trido.StartTimeout,
        ("a", 1.5),
        "child 'a' was not ready within its start_timeout of 1.5 s",
        {"id": "a", "seconds": 1.5},
    ),
    (trido.Unresponsive, ("a", 2.0), "child 'a' did not beat for 2 s", {"id": "a", "seconds": 2.0}),
    (
        trido.RestartLimitExceeded,
        ("root", "a", "had enough"),
        "supervisor 'root' gave up: child 'a' had enough",
        {"id": "root", "child": "a", "why": "had enough", "opened_by": None},
    ),
    (
        trido.SupervisorStopped,
        ("root",),
        "supervisor 'root' is stopping or has stopped",
        {"id": "root"},
    ),
    (
        trido.MaxChildren,
        ("root", 3),
        "supervisor 'root' has its max_children=3 already",
        {"id": "root", "max_children": 3},
    ),
    (trido.ChildNotFound, ("a",), "there is no child 'a'", {"id": "a"}),
    (trido.ChildAlreadyStarted, ("a",), "child 'a' is running already", {"id": "a"}),
]


@pytest.mark.parametrize(("kind", "args", "said", "fields"), WORDS)
def test_an_error_says_what_it_is_about(
    kind: type[trido.TridoError], args: tuple[object, ...], said: str, fields: dict[str, object]
) -> None:
    error = kind(*args)
    assert str(error) == said
    assert error.args == args
    assert {name: getattr(error, name) for name in fields} == fields
