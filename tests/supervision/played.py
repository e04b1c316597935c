"""A place, and a run of it, that do as a test says, and remember what they were asked."""

from __future__ import annotations

from typing import Any

import trio

from trido.supervision.messages import End
from trido.supervision.place import Report, as_place
from trido.supervision.policy import ChildPolicy
from trido.supervision.spec import Spec


class Board:
    """What was asked of a place and of its runs, and the latest run's report."""

    def __init__(self, *failures: Exception) -> None:
        self.said: list[object] = []
        self.failures = list(failures)
        self.obeys = True
        self.report: Any = None

    def take(self) -> list[object]:
        said, self.said = self.said, []
        return said

    # A place.

    def start(self, report: Report) -> Board:
        self.report = report
        if self.failures:
            raise self.failures.pop(0)
        report.ready()
        return self

    def changed(self, state: str, *, comes_back: bool) -> None:
        assert comes_back is True or comes_back is False
        self.said.append(f"{state}, comes back" if comes_back else state)

    # A run.

    def cancel(self, deadline: float, reason: str) -> None:
        self.said.append(f"cancel by {deadline - trio.current_time():g}: {reason}")
        if self.obeys:
            self.report.ended(End("stopped"))

    def kill(self) -> None:
        self.said.append("kill")

    def beat(self) -> None:
        self.said.append("beat")

    def stack(self) -> str:
        return "where it is"

    def below(self) -> None:
        return None


class Played(Spec[None]):
    def __init__(self, board: Board, id: str = "a", policy: ChildPolicy | None = None) -> None:
        self.board, self._id, self._policy = board, id, policy or ChildPolicy()

    @property
    def child_id(self) -> str:
        return self._id

    @property
    def policy(self) -> ChildPolicy:
        return self._policy


@as_place.register
def _(spec: Played) -> Any:
    return spec.board
