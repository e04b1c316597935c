"""The content orchestrator of the examples: one at a time, and on from where it was killed."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import trio

import trido
from examples import content_orchestrator as example
from examples.content_orchestrator import STEPS, Studio, orchestrator
from trido import testing


def test_its_schedules_are_hourly_to_monthly() -> None:
    schedules = {one.key: one for one in orchestrator.settings.schedules}
    assert list(schedules) == ["hourly", "daily", "weekly", "monthly"]


async def test_it_is_there_once() -> None:
    async with trido.open_runtime(
        journal=trido.MemoryJournal(), agents=(orchestrator,), actions=(example.make,)
    ) as rt:
        await rt.start_agent(orchestrator, id="orchestrator")
        with pytest.raises(trido.ChildAlreadyStarted):
            await rt.start_agent(orchestrator, id="orchestrator")


@pytest.mark.parametrize("minutes", range(5, 95, 10))
def test_wherever_the_power_fails_it_goes_on_with_that_step(
    minutes: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """From 05:50: the hourly piece, from six, and the daily one, from half past six, are in it."""
    studio = Studio()
    monkeypatch.setattr(example, "studio", studio)

    async def main() -> None:
        journal = trido.MemoryJournal()
        for seconds in (60 * minutes + 30, 3 * 3600):
            with trio.move_on_after(seconds):
                await example.life(journal)

    testing.run(main)
    done = [what.split(": ")[1] for what in studio.begun if what.startswith("daily 2")]
    assert done == list(STEPS)
    # The picture of the third piece is tried twice in any case.
    again = [what for what, times in studio.begun.items() if times > 1]
    assert len([what for what in again if what != "hourly 3: illustrate"]) <= 1
    assert "daily: published" in capsys.readouterr().out


async def test_a_step_that_always_fails_is_given_up_and_what_comes_next_is_made(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    class Broken(Studio):
        async def make(self, piece: example.Piece) -> str:
            if piece.number == 1 and piece.step == "edit":
                raise OSError("no editor")
            return await super().make(piece)

    monkeypatch.setattr(example, "studio", Broken())
    with trio.move_on_after(3600):
        await example.life(trido.MemoryJournal())
    said = capsys.readouterr().out
    assert said.count("tries 'edit' again") == 2
    assert "hourly: given up: OSError('no editor')" in said
    assert "daily: published" not in said
    assert "daily" not in said.split("given up")[0]


@pytest.mark.real_time
def test_kill_minus_9_in_the_middle_and_start_it_again(tmp_path: Path) -> None:
    """At the very moment when a step begins, the end of the one before may not be written yet."""
    command = [sys.executable, example.__file__, str(tmp_path / "content.db")]
    first = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert first.stdout is not None
    with first, first.stdout as said:
        seen = [next(said).strip() for _ in range(4)]
        first.kill()
    assert seen == [f"extra 1: {step}" for step in STEPS[:4]]
    again = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    lines = [line for line in again.stdout.splitlines() if line != f"extra 1: {STEPS[2]}"]
    assert lines == [*(f"extra 1: {step}" for step in STEPS[3:]), "extra: published"]
