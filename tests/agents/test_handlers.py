"""What a route learns from its handler's signature, and whose names its annotations may use."""

from __future__ import annotations

import _thread
import threading
from typing import Any

import pytest
from attrs import evolve, frozen

import trido
from trido.agents.handlers import callers_names
from trido.agents.turn import NO_TURN


@frozen
class Counter:
    value: int = 0


def test_only_what_is_taken_need_be_known() -> None:
    """A turn may be annotated with a name that only type checkers see."""
    agent = trido.Agent("known", state=Counter)

    @agent.on("go")
    def go(state: Counter, data: int, turn: Unseen) -> Counter:  # type: ignore[name-defined]  # noqa: F821  # wrong on purpose
        return Counter(turn.revision)

    @agent.on_start
    def begin(state: Counter, turn: Unseen) -> Unseen:  # type: ignore[name-defined]  # noqa: F821  # wrong on purpose
        return Counter(turn.revision)

    turn = trido.Turn(revision=7)
    assert agent.cmd(Counter(), trido.Signal("go", 1), turn) == (Counter(7), ())
    assert agent.starts is not None
    assert agent.decide(agent.starts, Counter(), None, turn) == (Counter(7), ())


def test_a_hook_is_given_the_state() -> None:
    agent = trido.Agent("hooked", state=Counter)

    @agent.on_start
    def begin(state: Counter) -> Counter:
        return evolve(state, value=state.value + 1)

    assert agent.starts is not None
    assert agent.decide(agent.starts, Counter(3), None, NO_TURN) == (Counter(4), ())

    @agent.on_stop
    def end(state: Counter, turn: trido.Turn) -> Counter:
        return evolve(state, value=state.value + turn.revision)

    assert agent.stops is not None
    turn = trido.Turn(revision=4)
    assert agent.decide(agent.stops, Counter(3), None, turn) == (Counter(7), ())


def names_seen_from(module: dict[str, Any]) -> Any:
    """What a function of such a module finds by asking trido, called where ``here`` is local."""
    here = "local"  # noqa: F841  # found by its name
    code = "def ask():\n    there = callers_names()\n    return there\n"
    exec(code, {"callers_names": callers_names, **module}, found := dict[str, Any]())
    return found["ask"]()


@pytest.mark.parametrize("name", ["trido", "trido.agents.definition"])
def test_names_are_those_of_whoever_called_trido(name: str) -> None:
    assert names_seen_from({"__name__": name})["here"] == "local"


@pytest.mark.parametrize("module", [{}, {"__name__": "tridox"}, {"__name__": "a.trido.b"}])
def test_code_of_other_modules_and_of_none_is_a_caller(module: dict[str, Any]) -> None:
    assert names_seen_from(module) == {}


def test_of_a_module_itself_no_names_are_local() -> None:
    module: dict[str, Any] = {"__name__": "somewhere", "callers_names": callers_names}
    exec("found = callers_names()", module)
    assert module["found"] == {}


def test_nobody_may_have_called() -> None:
    """A thread can begin in trido: then nothing stands below it."""
    done, found = threading.Event(), list[object]()
    module: dict[str, Any] = {
        "__name__": "trido.thread",
        "found": found,
        "done": done,
        "names": callers_names,
    }
    exec(
        "def ask():\n    try:\n        found.append(names())\n    finally:\n        done.set()",
        module,
    )
    _thread.start_new_thread(module["ask"], ())
    assert done.wait(10)
    assert found == [{}]
