"""Bad storage, as whoever opens a runtime meets it: each a typed error with file, reason, remedy.

Nothing that was durable is lost or overwritten, and agents whose data is sound start.
"""

from __future__ import annotations

import sqlite3
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager, closing
from functools import partial
from pathlib import Path
from typing import Any, Final

import pytest
import trio

import trido
from tests.journal.disk import FULL, IO, SHORT, Disk, Fault, can_fail, failing_disk
from tests.journal.test_journal_file import damage_page, holding
from tests.runtime.books import Charge, do, keeper, note, office
from tests.runtime.desk import Log
from tests.runtime.till import Till

pytestmark = pytest.mark.real_time
needs_a_disk = pytest.mark.skipif(not can_fail(), reason="SQLite is linked in, and hidden")

AGENTS: Final = ("a", "b", "c")
WANTS: Final[dict[str, list[trido.Directive]]] = {"pay": [Charge("kettle", 60.0)]}


def run(main: Callable[..., Any], *arguments: Any, **options: Any) -> Any:
    return trio.run(partial(main, *arguments, **options))


@asynccontextmanager
async def opened(file: Path, **options: Any) -> AsyncGenerator[trido.Runtime]:
    async with office(trido.SqliteJournal(file), keeper(does=WANTS), **options) as rt:
        yield rt


async def fill(file: Path) -> None:
    agent = keeper(does=WANTS)
    async with office(trido.SqliteJournal(file), agent, till=Till()) as rt:
        for id in AGENTS:
            ref = await rt.start_agent(agent, id=id, shutdown=trido.BRUTAL_KILL)
            for text in ("1", "2", "3"):
                await ref.call(note(text))
        await rt.agent("c").call(do("pay"))


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Three agents, one of which has a directive to be carried out."""
    run(fill, tmp_path / "app.db")
    return tmp_path / "app.db"


async def fails(file: Path) -> trido.JournalError:
    with pytest.raises(trido.JournalError) as caught:
        async with opened(file):
            pytest.fail("it opened")
    return caught.value


def check_refused(file: Path, kind: type[trido.JournalError], reason: str, remedy: str) -> None:
    """The runtime does not open, and leaves what is there as it is."""
    before = file.read_bytes() if file.is_file() else b""
    error = run(fails, file)
    assert type(error) is kind
    assert error.file == str(file)
    assert reason in error.reason
    assert remedy in error.remedy
    assert (file.read_bytes() if file.is_file() else b"") == before


async def started(file: Path, **options: Any) -> dict[str, Log | BaseException | None]:
    """The state of each agent, or why it does not start."""
    found: dict[str, Log | BaseException | None] = {}
    agent = keeper(does=WANTS)
    async with office(trido.SqliteJournal(file, verify=0), agent, **options) as rt:
        for id in AGENTS:
            try:
                ref = await rt.start_agent(agent, id=id, shutdown=trido.BRUTAL_KILL)
                found[id] = await ref.call(note("4"))
            except trido.StartFailed as error:
                found[id] = error.__cause__
    return found


async def charge(directive: Charge) -> None:
    """It takes no time."""


AT_ONCE: Final = {Charge: charge}
SOUND: Final = Log(("1", "2", "3", "4"))


# The file as a whole ------------------------------------------------------------------------------


def test_a_directory(tmp_path: Path) -> None:
    check_refused(tmp_path, trido.Unavailable, "it is a directory", "give the path of a file")


def test_a_directory_that_is_not_there(tmp_path: Path) -> None:
    file = tmp_path / "no" / "app.db"
    check_refused(file, trido.Unavailable, "it cannot be opened", "its directory must be there")


def test_a_file_that_is_no_journal(tmp_path: Path) -> None:
    file = tmp_path / "app.db"
    file.write_bytes(b"dear diary, " * 1000)
    check_refused(file, trido.Corrupt, "it is no journal, or is damaged", "left as it is")
    with closing(sqlite3.connect(tmp_path / "other.db")) as connection:
        connection.execute("CREATE TABLE diary (day)")
        connection.commit()
    said = "it is a SQLite file, but no journal"
    check_refused(tmp_path / "other.db", trido.Corrupt, said, "give the path of a journal")


def test_a_newer_format(file: Path) -> None:
    with closing(sqlite3.connect(file)) as connection:
        connection.execute("PRAGMA user_version = 99")
    check_refused(file, trido.TooNew, "its format is 99", "open it with the trido that wrote it")


@pytest.mark.parametrize(("by", "reason"), [(100, "it is cut off"), (5_000, "it is damaged")])
def test_a_file_that_is_cut_off(file: Path, by: int, reason: str) -> None:
    file.write_bytes(file.read_bytes()[:-by])
    check_refused(file, trido.Corrupt, reason, "restore a backup")


def test_a_damaged_page(file: Path) -> None:
    damage_page(file, "agents")
    check_refused(file, trido.Corrupt, "it is damaged", "restore a backup")


@needs_a_disk
def test_a_file_that_may_only_be_read(file: Path) -> None:
    with failing_disk() as disk:
        disk.read_only = file.name
        check_refused(file, trido.Unavailable, "it cannot be written", "let the process write")


def test_another_live_process_has_it(file: Path) -> None:
    with holding(file) as process:
        check_refused(file, trido.Locked, "it is open already", "close the session that has it")
        process.kill()
        process.wait()
    assert run(started, file) | {"c": None} == {"a": SOUND, "b": SOUND, "c": None}


# One agent of several -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "sql",
    [
        "UPDATE agents SET revision = 2 WHERE agent = 2",
        "UPDATE turns SET state = x'00' WHERE agent = 2",
        "UPDATE turns SET input = input || x'00' WHERE agent = 2",
    ],
)
def test_a_damaged_agent_is_told_and_the_others_start(file: Path, sql: str) -> None:
    with closing(sqlite3.connect(file)) as connection:
        connection.execute(sql)
        connection.commit()
    found = run(started, file, executors=AT_ONCE)
    error = found.pop("b")
    assert isinstance(error, trido.Corrupt)
    assert (error.file, error.remedy.split(":")[0]) == (str(file), "it is left as it is")
    assert "is damaged" in error.reason
    assert found["a"] == SOUND
    assert found["c"] == Log(("1", "2", "3", "pay", "4"))
    with closing(sqlite3.connect(file)) as connection:
        turns = "SELECT count(*) FROM turns WHERE agent = 2"
        assert connection.execute(turns).fetchone() == (3,)  # nothing was written over


def test_a_bit_that_is_flipped_in_an_agents_state_is_told(file: Path) -> None:
    content = bytearray(file.read_bytes())
    at = content.rfind(b'["1","2","3"]')  # of c, whose page is the last to have one
    content[at + 2] ^= 4
    file.write_bytes(content)
    found = run(started, file, executors=AT_ONCE)
    wrong = [one for one in found.values() if isinstance(one, trido.Corrupt)]
    assert len(wrong) == 1
    assert sum(isinstance(one, Log) for one in found.values()) == 2


def test_a_directive_that_nobody_knows_any_more(file: Path) -> None:
    found = run(started, file)  # no executor of charges
    error = found.pop("c")
    assert isinstance(error, trido.Unregistered)
    assert error.file == str(file)
    assert str(error) == (
        f"{file}: directive: $: the directive 'Charge' is not known:"
        " register it, open_runtime(executors={...: ...})"
    )
    assert found == {"a": SOUND, "b": SOUND}
    assert run(started, file, executors=AT_ONCE)["c"] == Log(("1", "2", "3", "pay", "4"))


async def unencodable(file: Path) -> BaseException | None:
    agent = keeper()

    @agent.on("surrogate", check=False)
    def odd(state: Log, data: object) -> Log:
        return Log((*state.seen, object()))  # type: ignore[arg-type]

    async with office(trido.SqliteJournal(file), agent) as rt:
        a, b = [await rt.start_agent(agent, id=id) for id in "ab"]
        with pytest.raises(trido.AgentCrashed) as caught:
            await a.call(trido.Signal("surrogate"))
        assert await a.call(note("4")) == await b.call(note("4")) == SOUND
    return caught.value.__cause__


def test_a_state_that_cannot_be_encoded_is_told_and_not_committed(file: Path) -> None:
    error = run(unencodable, file)
    assert isinstance(error, trido.TridoError)
    assert "seen" in str(error)


# A disk that fails while agents work --------------------------------------------------------------


async def work(file: Path, disk: Disk, fail: Callable[[], None]) -> tuple[Log, int]:
    """Calls with ids until each is answered; in a while the disk is mended."""
    agent, failures = keeper(), 0
    async with office(trido.SqliteJournal(file), agent) as rt, trio.open_nursery() as nursery:
        nursery.start_soon(mend_later, disk)
        fail()
        ref = await rt.start_agent(agent, id="a")
        for text in map(str, range(4, 12)):
            while (error := await refusal(ref, text)) is not None:
                assert error.file == str(file) or "send the same signal again" in error.remedy
                failures += 1
        state = ref.state()
    return state, failures


async def mend_later(disk: Disk) -> None:
    await trio.sleep(0.1)
    disk.mend()


async def refusal(ref: trido.AgentRef[Log], text: str) -> trido.Unavailable | None:
    try:
        await ref.call(note(text, id=text))
    except trido.Unavailable as error:
        return error
    return None


@needs_a_disk
@pytest.mark.parametrize(
    ("operation", "fault", "times"),
    [
        ("write", FULL, float("inf")),
        ("write", SHORT, 2),
        ("write", IO, 2),
        ("sync", IO, 1),
        ("sync", IO, 3),
        ("read", IO, 1),
    ],
)
def test_turns_on_a_failing_disk_happen_once_or_are_told_not_to_have(
    file: Path, operation: str, fault: Fault, times: float
) -> None:
    failed = 0
    for nth in (1, 3, 8):
        copy = file.with_name(f"{nth}.db")
        copy.write_bytes(file.read_bytes())
        with failing_disk() as disk:
            fail = partial(disk.fail, operation, nth=nth, fault=fault, times=times)
            with pytest.MonkeyPatch.context() as patch:
                patch.setattr("trido.runtime.durable._PAUSES", (0.0, 0.01))
                state, failures = run(work, copy, disk, fail)
        assert state.seen == tuple(map(str, range(1, 12)))
        again = run(started, copy)["a"]
        assert again == Log((*state.seen, "4"))
        failed += failures
    assert failed or operation == "read"  # one that fails while the agent starts is waited out
