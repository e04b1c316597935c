"""What a supervisor's machine is told of its spec, and what a supervisor says of itself."""

from __future__ import annotations

import math
from typing import Any, cast

import pytest
import trio

import trido
from trido.supervision.place import Report
from trido.supervision.records import Settings
from trido.supervision.shell import _settings


async def work() -> None:
    await trio.sleep_forever()


class Told:
    """What is looked at of a report."""

    class child:  # noqa: N801  # it stands for one
        incarnation = 3


ABOVE = cast("Report", Told)
SPEC = trido.SupervisorSpec(
    strategy="rest_for_one",
    max_restarts=7,
    max_seconds=2.5,
    max_consecutive=4,
    auto_shutdown="any_significant",
    shutdown_timeout=9.0,
)
WANTED: dict[str, Any] = {
    "strategy": "rest_for_one",
    "max_restarts": 7,
    "max_seconds": 2.5,
    "max_consecutive": 4,
    "auto_shutdown": "any_significant",
}


def test_a_root_has_the_settings_of_its_spec() -> None:
    wanted = Settings(path=("root",), shutdown_timeout=9.0, **WANTED)
    assert _settings(SPEC, ("root",), None) == wanted
    assert wanted.incarnation == 1


def test_a_supervisor_below_has_its_run_and_no_bound_of_its_own() -> None:
    path = ("root", "inner")
    wanted = Settings(path=path, incarnation=3, shutdown_timeout=math.inf, **WANTED)
    assert _settings(SPEC, path, ABOVE) == wanted


def test_a_dynamic_supervisor_has_a_limit_of_children() -> None:
    spec = trido.DynamicSupervisorSpec(work, id="crew", max_children=5)
    assert _settings(spec, ("crew",), None) == Settings(
        path=("crew",), dynamic=True, max_children=5
    )
    assert _settings(SPEC, ("root",), None).max_children == math.inf


async def test_a_supervisor_says_where_it_is_and_how_far() -> None:
    inner = trido.SupervisorSpec(trido.ChildSpec(work), id="inner")
    async with trido.open_supervisor(inner, id="top") as sup:
        below = sup["inner"].value
        assert repr(sup) == "<trido.Supervisor 'top' running>"
        assert repr(below) == "<trido.Supervisor 'top/inner' running>"
        assert below.path == ("top", "inner")
        assert not sup.has_ended
    assert repr(sup) == "<trido.Supervisor 'top' ended>"
    assert repr(below) == "<trido.Supervisor 'top/inner' ended>"
    assert sup.has_ended


async def test_whoever_asks_for_what_waits_for_the_asker_is_told_what_that_was() -> None:
    async def waits(*, task_status: trio.TaskStatus[None]) -> None:
        child = trido.current_child()
        assert child is not None
        await child.supervisor["b"].wait_running()

    with pytest.raises(trido.StartFailed) as caught:
        async with trido.open_supervisor(
            trido.ChildSpec(waits, id="a"), trido.ChildSpec(work, id="b")
        ):
            pass
    assert isinstance(caught.value.__cause__, trido.DeadlockError)
    assert str(caught.value.__cause__) == (
        "child 'a' cannot wait for a child: supervisor 'root' is starting it, and does nothing "
        "else before that is done"
    )


async def test_whoever_waits_for_an_answer_as_the_supervisor_ends_is_told_why() -> None:
    async with trido.open_supervisor(trido.ChildSpec(work, id="a"), id="top") as sup:
        sup.stop()
        await sup.wait()
        with pytest.raises(trido.SupervisorStopped) as caught:
            await sup.stop_child("a")
    assert caught.value.id == "top"
