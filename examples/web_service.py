"""A web service with a supervised agent for each user.

Each user's basket is an agent of its own, started when it is first asked for, and asleep when
nobody has asked for ten minutes. A request is a call, and what can come of a call is one HTTP
status each. The server is a child of a supervisor, too: hypercorn on Trio, with a starlette app.

    python examples/web_service.py 8000      then: curl localhost:8000/ann -d '{"item": "tea"}'
    python examples/web_service.py           asks itself a few things, without a socket

Watch for: what is wrong is refused by name and rule, in words for whoever asked. A bug ends the run
of Ann's basket, and that one request: nobody else notices, and Ann goes on with what she had. A
request that takes too long did not happen: the milk that could not be ordered is not in the basket.

It prints::

    POST ann 'tea': 200 ["tea"]
    POST bo 'rice': 200 ["rice"]
    POST ann 7: 422 {"error":"$.item: expected str, got int"}
    POST ann 'gold': 409 {"error":"there is no more gold"}
    POST ann 'milk': 504 {"error":"this took too long"}
    DELETE ann 'salt': 500 {"error":"agent 'basket/ann' crashed while it served the signal"}
    GET ann: 200 ["tea"]
    POST ann 'salt': 200 ["tea","salt"]
    DELETE ann 'salt': 200 ["tea"]
    runtime [dynamic]
    ├── basket/ann running (run 2, 1 restart)
    └── basket/bo running (run 1)
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from json import JSONDecodeError
from typing import Any, Final

import httpx2
import trio
from attrs import evolve, frozen
from hypercorn.config import Config
from hypercorn.trio import serve
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

import trido

# The agent ----------------------------------------------------------------------------------------


@frozen
class Basket:
    items: tuple[str, ...] = ()


@frozen
class Item:
    item: str


basket = trido.Agent(
    "basket", state=Basket, recover="committed", overflow="reject", idle_timeout=600.0
)

SOLD_OUT: Final = {"gold"}
DELAYS: Final = {"milk": 60.0}


@basket.on("basket.add")
async def add(state: Basket, data: Item) -> trido.Decision[Basket]:
    if data.item in SOLD_OUT:
        raise trido.Reject(f"there is no more {data.item}")
    await trio.sleep(DELAYS.get(data.item, 0.0))  # asks the warehouse
    return evolve(state, items=(*state.items, data.item))


@basket.on("basket.remove")
def remove(state: Basket, data: Item) -> trido.Decision[Basket]:
    at = state.items.index(data.item)  # a bug: it may not be there
    return evolve(state, items=state.items[:at] + state.items[at + 1 :])


# What becomes of a request ------------------------------------------------------------------------

PATIENCE: Final = 5.0
STATUS: Final[Mapping[type[Exception], int]] = {
    JSONDecodeError: 400,
    RecursionError: 400,  # no JSON that anybody means
    trido.InvalidData: 422,
    trido.Reject: 409,
    trido.AgentCrashed: 500,
    trido.Overloaded: 503,
    trido.AgentParked: 503,
    trido.IntakeClosed: 503,
    trio.TooSlowError: 504,
}


async def refused(request: Request, error: Exception) -> JSONResponse:  # noqa: ASYNC124  # a handler
    status = next(code for kind, code in STATUS.items() if isinstance(error, kind))
    return JSONResponse({"error": str(error) or "this took too long"}, status)


def shop(rt: trido.Runtime) -> Starlette:
    """The app, for as long as the runtime is open."""

    async def basket_of(request: Request) -> trido.AgentRef[Basket]:
        return await rt.activate(basket, request.path_params["user"])

    async def show(request: Request) -> JSONResponse:
        return JSONResponse((await basket_of(request)).state().items)

    async def change(request: Request) -> JSONResponse:
        kind = {"POST": "basket.add", "DELETE": "basket.remove"}[request.method]
        signal = trido.Signal(kind, await request.json())
        ref = await basket_of(request)
        with trio.fail_after(PATIENCE):
            return JSONResponse((await ref.call(signal)).items)

    return Starlette(
        routes=[
            Route("/{user}", show, methods=["GET"]),
            Route("/{user}", change, methods=["POST", "DELETE"]),
        ],
        exception_handlers=dict.fromkeys(STATUS, refused),
    )


# On a port ----------------------------------------------------------------------------------------


async def http(  # noqa: ASYNC128  # serve() says when it is ready
    app: Any, port: str, *, task_status: trio.TaskStatus[list[str]]
) -> None:
    """Ready when it listens. A new run listens anew."""
    config = Config()
    config.bind = [f"127.0.0.1:{port}"]
    await serve(app, config, task_status=task_status)


async def serve_it(port: str) -> None:
    async with (
        trido.open_runtime() as rt,
        # Inside, so it stops before the agents do.
        trido.open_supervisor(trido.ChildSpec(http, shop(rt), port)) as sup,
    ):
        print("serving", *sup["http"].value, flush=True)
        await trio.sleep_forever()


# Without a socket ---------------------------------------------------------------------------------


async def ask_itself() -> None:
    async with trido.open_runtime() as rt:
        app = httpx2.ASGITransport(shop(rt))
        async with httpx2.AsyncClient(transport=app, base_url="http://shop") as client:

            async def ask(method: str, user: str, item: object = None) -> None:
                json = None if item is None else {"item": item}
                response = await client.request(method, f"/{user}", json=json)
                said = "" if item is None else f" {item!r}"
                print(f"{method} {user}{said}: {response.status_code} {response.text}")

            await ask("POST", "ann", "tea")
            await ask("POST", "bo", "rice")
            await ask("POST", "ann", 7)
            await ask("POST", "ann", "gold")
            await ask("POST", "ann", "milk")
            await ask("DELETE", "ann", "salt")
            await ask("GET", "ann")
            await ask("POST", "ann", "salt")
            await ask("DELETE", "ann", "salt")
            print(rt.tree())


async def main(port: str) -> None:
    await (serve_it(port) if port else ask_itself())


if __name__ == "__main__":
    trido.run(main, "".join(sys.argv[1:2]))
