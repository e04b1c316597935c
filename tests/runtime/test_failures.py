"""Error policies: what a failed directive does to its agent."""

from __future__ import annotations

import logging
from typing import Any

import pytest
import trio
from attrs import frozen

import trido
from tests.runtime.desk import Boom, Log, agent, boom, do, note, settle
from tests.runtime.till import Charge, Failed, Jobs, Till, shop


def failing(what: str = "x", seconds: float = 0.0) -> Charge:
    return Charge(what, seconds, Boom(what))


async def test_by_default_a_failure_is_logged_and_the_next_still_runs(caplog: Any) -> None:
    async with shop() as (_, ref, till):
        await ref.call(do(failing("1"), Charge("2")))
        await settle()
        assert till.lines == "<1 <2 2"
        (record,) = caplog.records
        assert "agent 'a'" in record.getMessage()
        assert record.levelno == logging.ERROR
        assert isinstance(record.exc_info[1], Boom)
        assert await ref.call(note("alive")) == Log(("do", "alive"))


async def test_a_failure_is_logged_without_secrets(caplog: Any) -> None:
    @frozen
    class Pay(trido.Directive):
        what: str
        password: str = "hunter2"

    async def pay(directive: Pay) -> None:
        raise Boom

    failed = Failed()
    async with trido.open_runtime(executors={Pay: pay}) as rt:
        ref = await rt.start_agent(agent(), id="a", on_error=failed)
        await ref.call(do(Pay("x")))
        await settle()
        for text in (caplog.text, repr(failed.errors), str(failed.errors[0])):
            assert "hunter2" not in text
        assert "Pay(what='x', password=***)" in caplog.text


async def test_stop_ends_the_agent_once_what_it_has_committed_is_done() -> None:
    async with shop(settings={"on_error": "stop"}) as (rt, ref, till):
        child = rt.supervisor["a"]
        await ref.call(do(failing("1"), Charge("2", 1.0)))
        await child.wait_ended()
        assert till.lines == "<1 <2 2"
        assert child.last_crash is None


async def test_stop_while_the_agent_waits_for_its_restart_ends_its_next_run() -> None:
    backoff = trido.Backoff(min=10.0)
    async with shop(settings={"on_error": "stop"}, backoff=backoff) as (rt, ref, till):
        child = rt.supervisor["a"]
        await ref.cast(boom())
        await child.wait_running(after=1)
        await ref.call(do(failing("1", 2.0), Charge("2")))
        await ref.cast(boom())
        await settle()
        assert ref.status().state == "restarting"
        await trio.sleep(20)
        assert (till.lines, rt.find("a"), ref.incarnation) == ("<1 <2 2", None, 3)


async def test_emit_publishes_what_failed_without_secrets() -> None:
    async with shop(settings={"on_error": "emit"}) as (rt, ref, till):
        with rt.subscribe("agent.directive.failed") as signals:
            await ref.call(do(failing("1"), Charge("2")))
            async for signal in signals:
                assert dict(signal.data) == {
                    "agent": "a",
                    "directive": "Charge",
                    "error": "Boom('1')",
                }
                break
        await settle()
        assert till.lines == "<1 <2 2"


async def test_emit_of_an_agent_that_is_alone_is_in_the_log(caplog: Any) -> None:
    jobs = Jobs()
    async with trido.open_supervisor(agent(on_error="emit").spec(id="a")) as sup:
        await sup["a"].value.call(do(jobs.run("1", fails=Boom())))
        await trio.sleep(2)
        assert len(caplog.records) == 1


async def test_max_errors_stops_after_more_than_so_many_in_so_long() -> None:
    policy = trido.max_errors(2, 10.0)
    async with shop(settings={"on_error": policy}) as (rt, ref, _):
        for pause in (0, 6, 6, 6):  # never more than two within ten seconds
            await trio.sleep(pause)
            await ref.call(do(failing()))
        await trio.sleep(1)
        assert rt.find("a") is ref
        await ref.call(do(failing()))
        await settle()
        assert rt.find("a") is None


async def test_max_errors_of_none_stops_after_the_first() -> None:
    async with shop(settings={"on_error": trido.max_errors(0, 1.0)}) as (rt, ref, _):
        await ref.call(do(failing()))
        await settle()
        assert rt.find("a") is None


async def test_a_function_is_asked_what_to_do() -> None:
    asked: list[trido.DirectiveFailed] = []

    def policy(error: trido.DirectiveFailed) -> Any:
        asked.append(error)
        return "stop" if str(error.__cause__) == "2" else "log"

    async with shop(settings={"on_error": policy}) as (rt, ref, _):
        await ref.call(do(failing("1")))
        await settle()
        assert rt.find("a") is ref
        assert asked[0].id == "a"
        assert str(asked[0]) == "agent 'a': a Charge failed: 1"
        await ref.call(do(failing("2")))
        await settle()
        assert rt.find("a") is None


@pytest.mark.parametrize("answer", [None, "maybe", Boom()])
async def test_a_function_that_fails_is_a_crash_and_is_logged(answer: Any, caplog: Any) -> None:
    def policy(error: trido.DirectiveFailed) -> Any:
        if isinstance(answer, Exception):
            raise answer
        return answer

    async with shop(settings={"on_error": policy}) as (rt, ref, till):
        await ref.call(do(failing("1"), Charge("2")))
        await rt.supervisor["a"].wait_running(after=1)
        await settle()
        assert isinstance(rt.supervisor["a"].last_crash, Boom | TypeError)
        assert "its on_error failed" in caplog.text
        assert till.lines == "<1 <2 2"


def test_a_policy_that_is_none_is_an_error() -> None:
    for policy in ("ignore", None, 3):
        with pytest.raises(trido.SpecError, match="on_error="):
            agent(on_error=policy)
    with pytest.raises(trido.SpecError, match="n="):
        trido.max_errors(-1, 1.0)
    with pytest.raises(trido.SpecError, match="within="):
        trido.max_errors(1, -1.0)


async def test_an_executor_that_says_no_or_ends_has_failed_like_any_other() -> None:
    failed = Failed()
    reasons = [trido.Reject("no"), trido.Shutdown(), trido.Escalate(), ExceptionGroup("", [Boom()])]
    till = Till()
    async with trido.open_runtime(executors={Charge: till.charge}) as rt:
        ref = await rt.start_agent(agent(), id="a", on_error=failed)
        await ref.call(do(*[Charge("x", 0.0, reason) for reason in reasons]))
        await settle()
        assert failed.causes == reasons
        assert ref.incarnation == 1
