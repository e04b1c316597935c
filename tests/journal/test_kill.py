"""A process under load is killed at any moment: what it acknowledged is there, once and whole.

``TRIDO_KILLS=2000 pytest -o faulthandler_timeout=0 tests/journal/test_kill.py`` kills more often.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from random import Random

import pytest

from tests.journal.child import AGENTS, KEEP
from tests.journal.kit import do
from trido.journal.operations import Claim, Find, History
from trido.journal.rows import AgentKey
from trido.journal.store import SqliteStore
from trido.journal.upkeep import check
from trido.journal.writer import opened

KILLS = int(os.environ.get("TRIDO_KILLS", "40")) // 2
"""Of each of the two that can write."""
ROOT = Path(__file__).parents[2]


def run_and_kill(file: Path, writer: str, lines: int) -> dict[str, int]:
    """Have it write until it has acknowledged so many turns, and a moment more."""
    acknowledged: dict[str, int] = {}
    with subprocess.Popen(
        [sys.executable, "-m", "tests.journal.child", str(file), writer],
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    ) as process:
        assert process.stdout
        for line in process.stdout:
            id, revision = line.split()
            acknowledged[id] = int(revision)
            lines -= 1
            if lines == 0:
                process.kill()
        # The loop ended with the pipe: all that was said before the kill was read.
    assert process.returncode == -9
    return acknowledged


@pytest.mark.real_time
@pytest.mark.parametrize("writer", ["thread", "process"])
def test_a_killed_process_loses_nothing_it_acknowledged(writer: str, tmp_path: Path) -> None:
    file, random = tmp_path / "app.db", Random(5)
    revisions = dict.fromkeys((f"agent-{number}" for number in range(AGENTS)), 0)
    for _ in range(KILLS):
        revisions |= run_and_kill(file, writer, random.randrange(1, 200))
        store = opened(str(file), verify=2**30)
        assert not check(str(file), lambda *_: None)
        for id, revision in revisions.items():
            revisions[id] = judge(store, AgentKey(id), revision)
        store.close()
    assert min(revisions.values()) > KILLS


def judge(store: SqliteStore, key: AgentKey, acknowledged: int) -> int:
    """All of an agent is there, and is the fold of its turns."""
    run = do(store, Claim(key, "agent", keep=KEEP))
    assert run.revision >= acknowledged
    past = store.read(History(key))
    first = max(run.revision - KEEP.history + 1, 1)
    assert [one.revision for one in past] == list(range(first, run.revision + 1))
    for one in past:
        assert one.state["value"] == one.input == b"%d" % one.revision
        kept = store.read(Find(key, f"input-{one.revision}"))
        assert kept
        assert (kept.revision, kept.reply) == (one.revision, one.input)
        assert len(one.directives) == 1
    assert run.state.get("value") == (b"%d" % run.revision if run.revision else None)
    # Carried out but for the last, whose mark may not have been written.
    assert all(one.revision == run.revision for one in run.directives)
    return run.revision
