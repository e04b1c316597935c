"""An agent that asks a language model, and lets it use a tool.

The agent keeps the talk. Asking the model takes seconds and may fail, so it is an action that runs
beside the agent: tried again when the model is busy, at most four at once, and behind a breaker.
When the model wants a tool, that is an action too; what the model says about its parameters is
checked as strictly as anything else that comes from outside.

    MODEL_API_KEY=... python examples/ask_a_model.py      asks a real one (MODEL_URL, MODEL_NAME)
    python examples/ask_a_model.py                        plays a recorded talk, without a network

Watch for: nobody notices that the model is busy at first. It asks for order "seven", is told that
this is no number, and tries again. When it is down, two questions are answered "not now", the
second one at once: the breaker is open. The key is secret: nothing that trido shows has it.

It prints::

    Model(url='https://api.example.com/v1', name='small', key=***)
    (the model answers 429)
    (the model wants order {"number": "seven"})
    (the model wants order {"number": 7})
    'Where is order seven?': 'Order 7, a kettle, left on Monday.', after 3.0 s
    (the model answers 503)
    (the model answers 503)
    'And order 8?': 'not now: ModelBusy', after 2.0 s
    'Hello?': 'not now: BreakerOpen', after 0.0 s
    'Thanks!': 'You are welcome.', after 0.5 s
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from typing import Any, Final

import httpx2
import trio
from attrs import evolve, field, frozen

import trido

# What is said -------------------------------------------------------------------------------------


@frozen
class Message:
    role: str
    content: str
    call: ToolCall | None = None
    """Of an answer: the tool that is asked for. Of what a tool gave: the call that asked."""


@frozen
class ToolCall:
    id: str
    tool: str
    arguments: str
    """JSON, if the model got it right."""


@frozen
class Talk:
    messages: tuple[Message, ...] = (Message("system", "You help customers of a shop."),)
    request: str | None = None
    """Who waits for an answer."""


# The tools: actions, whose JSON schema the model is told ------------------------------------------


@frozen
class Order:
    number: int


@trido.action("look_up_order")
def look_up_order(order: Order) -> str:
    return {7: "a kettle, left on Monday"}.get(order.number, "there is no such order")


TOOLS: Final[Mapping[str, trido.Action[Any, str]]] = {look_up_order.name: look_up_order}

# The model ----------------------------------------------------------------------------------------


@frozen(kw_only=True)
class Model:
    url: str = field(factory=lambda: os.environ.get("MODEL_URL", "https://api.example.com/v1"))
    name: str = field(factory=lambda: os.environ.get("MODEL_NAME", "small"))
    key: str = trido.secret(factory=lambda: os.environ.get("MODEL_API_KEY", ""))


class ModelBusy(Exception):
    """Too much to do, or down: later it may answer."""


async def complete(
    client: httpx2.AsyncClient, model: Model, messages: tuple[Message, ...]
) -> Message:
    response = await client.post(
        f"{model.url}/chat/completions",
        headers={"Authorization": f"Bearer {model.key}"},
        json={
            "model": model.name,
            "messages": [to_json(one) for one in messages],
            "tools": [tool_to_json(one) for one in TOOLS.values()],
        },
    )
    if response.status_code == httpx2.codes.TOO_MANY_REQUESTS or response.is_server_error:
        raise ModelBusy(f"HTTP {response.status_code}")
    if response.is_error:
        # An answer, and no failure: it is not tried again, and no breaker counts it.
        raise trido.Reject(f"the model refuses: HTTP {response.status_code}")
    return from_json(response.json()["choices"][0]["message"])


def to_json(message: Message) -> dict[str, Any]:
    text = {"role": message.role, "content": message.content}
    if message.call is None:
        return text
    if message.role == "tool":
        return {**text, "tool_call_id": message.call.id}
    function = {"name": message.call.tool, "arguments": message.call.arguments}
    return {
        **text,
        "tool_calls": [{"id": message.call.id, "type": "function", "function": function}],
    }


def from_json(message: Mapping[str, Any]) -> Message:
    for call in message.get("tool_calls") or ():
        function = call["function"]
        asked = ToolCall(call["id"], function["name"], function["arguments"])
        return Message("assistant", message["content"] or "", asked)
    return Message("assistant", message["content"])


def parsed(arguments: str) -> object:
    """Plain data, which the action checks."""
    try:
        return json.loads(arguments)
    except ValueError:
        return arguments  # it is told what was expected


def tool_to_json(tool: trido.Action[Any, Any]) -> dict[str, Any]:
    return {"type": "function", "function": {"name": tool.name, "parameters": tool.schema()}}


# Asking it: an action for one model, with all that may be done when it does not answer ------------

Asking = trido.AsyncAction[tuple[Message, ...], Message]


def asking(client: httpx2.AsyncClient, model: Model) -> Asking:
    @trido.action(
        "model.ask",
        timeout=30.0,
        retry=trido.Retry(2, on=(ModelBusy, httpx2.TransportError), backoff=BACKOFF),
        policies=[trido.Limit("model", 4), trido.Breaker(failures=3, within=60.0, open_for=30.0)],
    )
    async def ask(messages: tuple[Message, ...]) -> Message:
        return await complete(client, model, messages)

    return ask


BACKOFF: Final = trido.Backoff(min=1.0)

# The agent ----------------------------------------------------------------------------------------

LONGEST: Final = 40
"""How many messages a talk may have: also the bound for a model that never stops using tools."""


def assistant(ask: Asking) -> trido.Agent[Talk]:
    agent = trido.Agent("assistant", state=Talk, recover="committed")

    def think(talk: Talk, *others: trido.Directive) -> trido.Decision[Talk]:
        run = trido.Run(ask, talk.messages, ok="model.said", error="model.failed")
        return talk, [*others, run]

    @agent.on("question")
    def question(talk: Talk, text: str, turn: trido.Turn) -> trido.Decision[Talk]:
        if talk.request is not None:
            raise trido.Reject("one question at a time")
        messages = (*talk.messages, Message("user", text))
        return think(evolve(talk, messages=messages, request=turn.request), trido.DeferReply())

    @agent.on("model.said")
    def said(talk: Talk, message: Message) -> trido.Decision[Talk]:
        new = evolve(talk, messages=(*talk.messages, message))
        if message.call is None:
            return answered(new, message.content)
        if len(new.messages) > LONGEST or message.call.tool not in TOOLS:
            return answered(new, "I do not know.")
        tool, parameters = TOOLS[message.call.tool], parsed(message.call.arguments)
        return new, [trido.Run(tool, parameters, ok="tool.gave", error="tool.failed")]

    @agent.on("tool.gave")
    def gave(talk: Talk, result: str) -> trido.Decision[Talk]:
        message = Message("tool", result, talk.messages[-1].call)
        return think(evolve(talk, messages=(*talk.messages, message)))

    @agent.on("tool.failed")
    def tool_failed(talk: Talk, failed: trido.RunFailed) -> trido.Decision[Talk]:
        return gave(talk, failed.error)

    @agent.on("model.failed")
    def failed(talk: Talk, why: trido.RunFailed) -> trido.Decision[Talk]:
        return answered(talk, f"not now: {why.kind}")

    return agent


def answered(talk: Talk, text: str) -> trido.Decision[Talk]:
    return evolve(talk, request=None), [trido.Reply(text, to=talk.request)]


# A recorded talk: what the service answers, in order ----------------------------------------------

Answer = tuple[int, Mapping[str, Any]]


def says(content: str | None, *tool_calls: Mapping[str, Any]) -> Answer:
    return 200, {"role": "assistant", "content": content, "tool_calls": tool_calls}


def wants(arguments: str) -> Answer:
    function = {"name": look_up_order.name, "arguments": arguments}
    return says(None, {"id": "call-1", "type": "function", "function": function})


RECORDED: Final[tuple[Answer, ...]] = (
    (429, {}),
    wants('{"number": "seven"}'),
    wants('{"number": 7}'),
    says("Order 7, a kettle, left on Monday."),
    (503, {}),
    (503, {}),
    says("You are welcome."),
)


def recorded(answers: Sequence[Answer]) -> httpx2.MockTransport:
    """Plays these. Each takes half a second."""
    left = iter(answers)

    async def answer(request: httpx2.Request) -> httpx2.Response:
        await trio.sleep(0.5)
        status, message = next(left)
        if status != httpx2.codes.OK:
            print(f"(the model answers {status})")
        for call in message.get("tool_calls", ()):
            print(f"(the model wants order {call['function']['arguments']})")
        return httpx2.Response(status, json={"choices": [{"message": message}]})

    return httpx2.MockTransport(answer)


# A customer ---------------------------------------------------------------------------------------


async def ask_it(ref: trido.AgentRef[Talk], text: str) -> None:
    began = trio.current_time()
    answer = await ref.call(trido.Signal("question", text))
    print(f"{text!r}: {answer!r}, after {trio.current_time() - began:.1f} s")


async def main() -> None:
    model = Model()
    print(trido.redacted(model))
    transport = None if model.key else recorded(RECORDED)
    async with (
        httpx2.AsyncClient(transport=transport, timeout=None) as client,
        trido.open_runtime() as rt,
    ):
        ref = await rt.start_agent(assistant(asking(client, model)), id="talk-1")
        await ask_it(ref, "Where is order seven?")
        await ask_it(ref, "And order 8?")
        await ask_it(ref, "Hello?")
        await trio.sleep(30)
        await ask_it(ref, "Thanks!")


if __name__ == "__main__":
    trido.run(main)
