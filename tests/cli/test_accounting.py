"""Whatever the input, wherever the agents crash, whenever it ends: every line is accounted for."""

import io
import json
import math
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Any

import pytest
import trio
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

import trido
from trido import testing
from trido.cli import application
from trido.cli.lines import Letter, Refusal, read
from trido.cli.post import Post
from trido.cli.session import Options, Session
from trido.cli.source import Source
from trido.runtime.mailbox import Mailbox
from trido.supervision.policy import Strategy

AT = "2026-03-02T09:00:00Z"
TICKET = {"kind": "ticket", "id": "T-1", "at": AT, "customer": "Ada", "text": "Where is it?"}
ITEM = {"product": "Kettle", "quantity": 2, "price": "5"}
INVOICE = {
    "kind": "invoice",
    "id": "I-1",
    "at": AT,
    "customer": "Ada",
    "items": [ITEM],
    "total": "10",
}

LINES: dict[str, bytes] = {
    name: record if isinstance(record, bytes) else json.dumps(record).encode()
    for name, record in {
        "ticket": TICKET,
        "invoice": INVOICE,
        "support crashes": TICKET | {"text": "?!"},
        "support crashes too": TICKET | {"priority": "asap"},
        "billing crashes": INVOICE | {"total": "sNaN"},
        "rejected": INVOICE | {"total": "11"},
        "unknown field": TICKET | {"field": 1},
        "wrong type": INVOICE | {"customer": 1},
        "no kind": {"id": "T-1"},
        "no such kind": TICKET | {"kind": "refund"},
        "no JSON": b"{",
        "no text": b"\xff",
        "nothing": b"",
    }.items()
}

names = st.sampled_from([*LINES, *["ticket"] * 5, *["invoice"] * 5])
speeds = st.just(math.inf) | st.floats(0.1, 10)


@contextmanager
def written(lines: list[bytes]) -> Generator[Path]:
    with NamedTemporaryFile() as file:
        file.write(b"".join(line + b"\n" for line in lines))
        file.flush()
        yield Path(file.name)


def session_of(
    path: Path, *, strategy: Strategy = "one_for_one", max_restarts: int = 1000, **options: Any
) -> Session:
    console = Console(file=io.StringIO(), width=80)
    options = {"strategy": strategy, "max_restarts": max_restarts, **options}
    return Session(Options(input=path, **options), application.load(), Source(path), console)


def run(session: Session, until: float = math.inf, *, seed: int = 0) -> None:
    async def main() -> None:
        with trio.move_on_at(trio.current_time() + until):
            await session.run()

    with session.source:
        testing.run(main, seed=seed, guarded=False)
        session.result()


def fate_of(raw: bytes) -> str:
    """What the pure decision says becomes of a line."""
    letter = read(1, raw, frozenset(("ticket", "invoice")))
    if isinstance(letter, Refusal):
        return "refused"
    return _decided(letter)


def _decided(letter: Letter) -> str:
    agents = {spec.child_id: spec for spec in application.load().desk().children}
    spec = agents[application.load().ADDRESSES[letter.kind]]
    assert isinstance(spec, trido.AgentSpec)
    try:
        spec.agent.cmd(spec.agent.state.initial, trido.Signal(letter.kind, letter.data))
    except (trido.InvalidData, trido.Reject):
        return "refused"
    except Exception:
        return "dead_lettered"
    return "handled"


strategies = st.sampled_from(["one_for_one", "one_for_all", "rest_for_one"])


@given(st.lists(names, min_size=1, max_size=60), strategies, speeds, st.integers(0))
def test_what_the_pure_decisions_say_is_what_happens(
    lines: list[str], strategy: Strategy, speed: float, seed: int
) -> None:
    raw = [LINES[name] for name in lines]
    with written(raw) as path:
        session = session_of(path, strategy=strategy, speed=speed)
        run(session, seed=seed)
    balance = session.ledger.balance()
    fates = [fate_of(line) for line in raw]
    assert session.ending == "finished"
    assert balance.is_clean
    assert balance.lines == len(raw)
    assert balance.handled == fates.count("handled")
    assert balance.refused == fates.count("refused")
    assert balance.dead_lettered == fates.count("dead_lettered") == session.figures.crashes
    assert balance.not_delivered == 0
    assert session.figures.restarts >= session.figures.recoveries.count == balance.dead_lettered


@given(
    lines=st.lists(names, min_size=1, max_size=60),
    strategy=strategies,
    max_restarts=st.integers(0, 3),
    speed=speeds,
    until=st.just(math.inf) | st.floats(0, 1),
    seed=st.integers(0),
)
def test_however_it_ends(
    *,
    lines: list[str],
    strategy: Strategy,
    max_restarts: int,
    speed: float,
    until: float,
    seed: int,
) -> None:
    with written([LINES[name] for name in lines]) as path:
        session = session_of(path, strategy=strategy, max_restarts=max_restarts, speed=speed)
        run(session, until, seed=seed)
    balance = session.ledger.balance()
    assert balance.is_clean
    if session.ending == "finished":
        assert balance.lines == len(lines)
        assert balance.not_delivered == 0
    if session.ending == "gave up":
        assert balance.lines == len(lines)
        assert session.figures.crashes > max_restarts
    if session.ending == "SIGTERM":  # cancelled
        assert until < math.inf
        assert balance.lines <= len(lines)


def test_a_full_mailbox_when_the_supervisor_gives_up() -> None:
    lines = [LINES["support crashes"], *[LINES["ticket"]] * 500, *[LINES["invoice"]] * 500]
    with written(lines) as path:
        session = session_of(path, max_restarts=0, speed=math.inf)
        run(session)
    balance = session.ledger.balance()
    assert session.ending == "gave up"
    assert balance.is_clean
    assert balance.lines == 1001
    assert balance.not_delivered > 0


def test_a_full_mailbox_when_it_is_cancelled() -> None:
    lines = [*[LINES["support crashes"]] * 2, *[LINES["ticket"]] * 500]
    with written(lines) as path:
        session = session_of(path, speed=math.inf)
        run(session, until=0.02)  # in the middle of its backoff
    balance = session.ledger.balance()
    assert session.ending == "SIGTERM"
    assert balance.is_clean
    assert balance.lines == 103  # those in the mailbox, two crashes, and one that found no room
    assert (balance.dead_lettered, balance.not_delivered) == (102, 1)


def test_the_till_is_cancelled() -> None:
    lines = [*[LINES["billing crashes"]] * 2, *[LINES["invoice"]] * 500]
    with written(lines) as path:
        session = session_of(path, speed=math.inf)
        run(session, until=0.02)
    balance = session.ledger.balance()
    assert session.ending == "SIGTERM"
    assert balance.is_clean
    assert balance.dead_lettered == 2
    assert balance.not_delivered == balance.lines - 2 > 100


def test_what_waits_for_a_sibling_when_it_is_cancelled() -> None:
    """An agent that was stopped for the other's sake, and will not be started again."""
    names = ["billing crashes", "billing crashes", "ticket", "ticket"]
    with written([LINES[name] for name in names]) as path:
        session = session_of(path, strategy="one_for_all", speed=math.inf)
        run(session, until=0.03125)
    assert session.ledger.balance().is_clean


async def test_a_call_that_is_cancelled() -> None:
    with written([*[LINES["billing crashes"]] * 2, LINES["invoice"]]) as path:
        session = session_of(path, speed=math.inf)
    spec, post = session.application.desk(), session.post
    assert isinstance(post, Post)
    with session.source:
        async with trido.open_supervisor(spec=spec) as desk:
            refs = {kind: desk[id].value for kind, id in session.application.ADDRESSES.items()}
            await post.feed(refs, cast="ticket")
            with trio.move_on_after(0.02) as scope:  # in the middle of its backoff
                await post.till(refs["invoice"])
            assert scope.cancelled_caught
            post.give_back("cancelled", rest=False)
    balance = session.ledger.balance()
    assert balance.is_clean
    assert (balance.dead_lettered, balance.not_delivered) == (2, 1)


def test_an_agent_that_loses_a_signal_is_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """The books show it, and the demo does not wait for ever."""
    put = Mailbox.put
    lines = iter(["kept", "lost", "kept"])
    monkeypatch.setattr(
        Mailbox, "put", lambda box, letter: next(lines) == "lost" or put(box, letter)
    )
    with written([LINES["ticket"]] * 3) as path:
        session = session_of(path, speed=math.inf)
        run(session)
    assert session.ledger.unaccounted() == [3]
    assert session.result().exit_code == 1
