"""The agent that asks a language model: what it sends, what it shows, and where it stops."""

from __future__ import annotations

import json
import logging
from typing import Any

import httpx2
import pytest
import trio

import trido
from examples.ask_a_model import LONGEST, Model, asking, assistant, says, wants

KEY = "sk-not-to-be-seen"


async def talk(*answers: Any, questions: int = 1) -> tuple[list[str], list[httpx2.Request]]:
    """What it says when the service answers so; and what it sent."""
    requests: list[httpx2.Request] = []
    left = iter(answers)

    def answer(request: httpx2.Request) -> httpx2.Response:
        requests.append(request)
        status, message = next(left)
        return httpx2.Response(status, json={"choices": [{"message": message}]})

    model = Model(url="https://model.test", name="tiny", key=KEY)
    async with (
        httpx2.AsyncClient(transport=httpx2.MockTransport(answer)) as client,
        trido.open_runtime() as rt,
    ):
        ref = await rt.start_agent(assistant(asking(client, model)), id="talk")
        said = [await ref.call(trido.Signal("question", "?")) for _ in range(questions)]
        assert not rt.dead_letters
    return said, requests


async def test_it_sends_the_talk_the_tools_and_the_key() -> None:
    said, (first, second) = await talk(says("Hello."), says("Yes."), questions=2)
    assert said == ["Hello.", "Yes."]
    assert str(first.url) == "https://model.test/chat/completions"
    assert first.headers["authorization"] == f"Bearer {KEY}"
    body = json.loads(second.content)
    assert [one["role"] for one in body["messages"]] == ["system", "user", "assistant", "user"]
    (tool,) = body["tools"]
    assert tool["function"]["name"] == "look_up_order"
    assert tool["function"]["parameters"]["properties"] == {"number": {"type": "integer"}}


async def test_what_the_tool_gives_goes_back_by_the_id_of_the_call() -> None:
    _, (_, second) = await talk(wants('{"number": 7}'), says("It left."))
    *_, call, result = json.loads(second.content)["messages"]
    assert call["tool_calls"][0]["id"] == result["tool_call_id"] == "call-1"
    assert result["content"] == "a kettle, left on Monday"


@pytest.mark.parametrize(
    ("arguments", "rule"),
    [
        ('{"number": "7"}', "expected int, got str"),
        ("{number", "expected Order, got str"),
    ],
)
async def test_what_the_model_gets_wrong_it_is_told(arguments: str, rule: str) -> None:
    _, (_, second) = await talk(wants(arguments), says("I see."))
    assert rule in json.loads(second.content)["messages"][-1]["content"]


async def test_a_model_that_uses_tools_for_ever_is_stopped() -> None:
    said, requests = await talk(*[wants('{"number": 7}')] * 100)
    assert said == ["I do not know."]
    assert len(requests) < LONGEST


async def test_a_refusal_is_not_tried_again() -> None:
    said, requests = await talk((401, {}))
    assert (said, len(requests)) == (["not now: Reject"], 1)


async def test_the_key_is_not_shown(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    await talk((503, {}), (503, {}))
    await talk((200, None), (200, None))  # no message: nobody expects that
    assert KEY not in caplog.text
    assert KEY not in repr(Model(key=KEY))
    assert KEY not in repr(trido.redacted(Model(key=KEY)))


async def test_one_question_at_a_time() -> None:
    async def slow(request: httpx2.Request) -> httpx2.Response:
        await trio.sleep(1)
        return httpx2.Response(200, json={"choices": [{"message": {"content": "Yes."}}]})

    async with (
        httpx2.AsyncClient(transport=httpx2.MockTransport(slow)) as client,
        trido.open_runtime() as rt,
        trio.open_nursery() as nursery,
    ):
        ref = await rt.start_agent(assistant(asking(client, Model(key=KEY))), id="talk")
        nursery.start_soon(ref.call, trido.Signal("question", "?"))
        await ref.wait_for(lambda talk: talk.request is not None)
        with pytest.raises(trido.Reject, match="one question at a time"):
            await ref.call(trido.Signal("question", "!"))
