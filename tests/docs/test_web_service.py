"""The web service of the examples, as its users see it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

import httpx2
import pytest
import trio

import trido
from examples import web_service

SCRIPT = Path(web_service.__file__)


@asynccontextmanager
async def shop(rt: trido.Runtime) -> AsyncGenerator[httpx2.AsyncClient]:
    transport = httpx2.ASGITransport(web_service.shop(rt))
    async with httpx2.AsyncClient(transport=transport, base_url="http://shop") as client:
        yield client


async def test_each_user_has_an_agent_and_it_is_one_however_many_ask_at_once() -> None:
    async with trido.open_runtime() as rt, shop(rt) as client:
        async with trio.open_nursery() as nursery:
            for user in ("ann", "bo") * 10:
                nursery.start_soon(partial(client.post, json={"item": "tea"}), f"/{user}")
        assert (await client.get("/ann")).json() == ["tea"] * 10
        assert (await client.get("/bo")).json() == ["tea"] * 10
        assert len(rt.agents()) == 2


async def test_a_basket_that_nobody_asks_for_sleeps_and_forgets_nothing() -> None:
    async with trido.open_runtime() as rt, shop(rt) as client:
        await client.post("/ann", json={"item": "tea"})
        ref = await rt.activate(web_service.basket, "ann")
        await trio.sleep(601)
        assert ref.status().state == "hibernated"
        assert (await client.post("/ann", json={"item": "rice"})).json() == ["tea", "rice"]
        assert ref.status().state == "running"


@pytest.mark.parametrize("text", ["{", "", "[" * 10_000])
async def test_what_is_no_json_is_a_400(text: str) -> None:
    async with trido.open_runtime() as rt, shop(rt) as client:
        assert (await client.post("/ann", content=text)).status_code == 400


async def test_a_user_who_is_slow_holds_up_nobody_else() -> None:
    async with trido.open_runtime() as rt, shop(rt) as client, trio.open_nursery() as nursery:
        nursery.start_soon(partial(client.post, json={"item": "milk"}), "/ann")
        await trio.sleep(1)
        began = trio.current_time()
        assert (await client.post("/bo", json={"item": "tea"})).json() == ["tea"]
        assert trio.current_time() == began


async def test_once_the_intake_is_closed_requests_are_503() -> None:
    async with trido.open_runtime() as rt, shop(rt) as client:
        await client.get("/ann")
        rt.close_intake()
        assert (await client.post("/ann", json={"item": "tea"})).status_code == 503


@pytest.mark.real_time
async def test_over_a_socket_it_serves_and_stops_in_order() -> None:
    arguments = [sys.executable, "-u", str(SCRIPT), "0"]
    process = await trio.lowlevel.open_process(
        arguments, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=os.environ
    )
    assert process.stdout is not None
    assert process.stderr is not None
    with trio.fail_after(60):
        line = b""
        while not line.endswith(b"\n"):
            line += await process.stdout.receive_some()
        url = line.decode().split()[-1]
        async with httpx2.AsyncClient() as client:
            response = await client.post(f"{url}/ann", json={"item": "tea"})
            assert response.json() == ["tea"]
        process.send_signal(signal.SIGTERM)
        assert await process.wait() == 0
        assert b"Traceback" not in await process.stderr.receive_some()
