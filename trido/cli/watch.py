"""What ``trido run --watch`` shows: the tree as it is, or lines where there is no terminal."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final, TypeAlias

import trio
from attrs import evolve, frozen
from rich.console import Console
from rich.live import Live
from rich.text import Text
from rich.tree import Tree

from trido.cli.job import printable
from trido.runtime import AgentRef
from trido.supervision.block import ROOTS
from trido.supervision.child import Child
from trido.supervision.supervisor import SupervisorBase
from trido.supervision.tables import State

OPERATOR: Final = "trido run"
"""The id of the supervisor that the watching is under: it is not shown."""

_FRAME: Final = 0.125
"""Seconds between two pictures: often enough to follow, seldom enough to be calm."""

_STYLES: Final[dict[State, str]] = {
    "running": "green",
    "starting": "yellow",
    "restarting": "yellow",
    "stopping": "yellow",
    "parked": "bold red",
    "zombie": "bold red",
}


@frozen(kw_only=True)
class Spot:
    """A place in the tree, as it was at one moment."""

    id: str
    state: State
    run: int
    restarts: int
    strategy: str = ""
    """Of a supervisor."""
    waiting: int | None = None
    """How many signals are in the mailbox of an agent."""
    below: tuple[Spot, ...] = ()


Places: TypeAlias = Mapping[tuple[str, ...], Spot]


class Watch:
    """Shows all supervisors of this event loop, until it is cancelled."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self.is_live: bool = console.is_terminal and not console.is_dumb_terminal

    async def run(self) -> None:
        """Show what there is, and how it was in the end."""
        await (self._run_live() if self.is_live else self._run_plain())

    async def _run_live(self) -> None:
        # No thread of rich's: this task draws, so nobody else is ever in the middle of a line.
        spots: tuple[Spot, ...] = ()
        with Live(console=self._console, auto_refresh=False) as live:
            try:
                while True:
                    spots = look() or spots
                    live.update(drawing(spots), refresh=True)
                    await trio.sleep(_FRAME)
            finally:  # the last picture stays
                live.update(drawing(look() or ended(spots)), refresh=True)

    async def _run_plain(self) -> None:
        before: Places = {}
        began = trio.current_time()
        while True:
            after = places(look())
            for line in changes(before, after):
                said = f"{trio.current_time() - began:6.1f} s  {line}"
                self._console.print(Text(printable(said)), soft_wrap=True)
            before = after
            await trio.sleep(_FRAME)


def look() -> tuple[Spot, ...]:
    """All that is there now."""
    roots = [one for one in ROOTS.get() if one.path != (OPERATOR,)]
    return tuple(_supervisor(one) for one in sorted(roots, key=lambda root: root.path))


def ended(spots: tuple[Spot, ...]) -> tuple[Spot, ...]:
    """The same when it is gone: nothing of it runs any more."""
    return tuple(evolve(one, state=_last(one.state), below=ended(one.below)) for one in spots)


def _last(state: State) -> State:
    return state if state in {"parked", "zombie"} else "stopped"


def _supervisor(supervisor: SupervisorBase, **place: Any) -> Spot:
    own: dict[str, Any] = {"id": supervisor.id, "state": "running", "run": 1, "restarts": 0}
    strategy = f"{supervisor.spec.strategy}"
    below = tuple(_child(supervisor[info.id]) for info in supervisor.children())
    return Spot(**{**own, **place}, strategy=strategy, below=below)


def _child(child: Child[Any]) -> Spot:
    run, value = child.run, child.value
    place: dict[str, Any] = {
        "id": child.id,
        "state": child.state,
        "run": child.incarnation,
        "restarts": child.restarts,
    }
    if isinstance(value, AgentRef):
        place["waiting"] = value.status().queued
    below = None if run is None else run.below()
    if below is None:
        return Spot(**place)
    return _supervisor(below, **place)


def drawing(spots: tuple[Spot, ...]) -> Tree:
    """For a terminal."""
    top = Tree(Text("trido", style="bold"), hide_root=True)
    for spot in spots:
        _draw(top, spot)
    return top


def _draw(above: Tree, spot: Spot) -> None:
    branch = above.add(_label(spot))
    for one in spot.below:
        _draw(branch, one)


def _label(spot: Spot) -> Text:
    label = Text.assemble((printable(spot.id), "bold"))
    if spot.strategy:
        label.append(f" [{spot.strategy}]", "dim")
    label.append(f"  {spot.state}", _STYLES.get(spot.state, "dim"))
    label.append(f", run {spot.run}", "yellow" if spot.restarts else "dim")
    if spot.waiting:
        label.append(f", {spot.waiting} waiting", "cyan")
    return label


def places(spots: tuple[Spot, ...]) -> Places:
    """Each by its path."""
    return dict(_places(spots, ()))


def _places(
    spots: tuple[Spot, ...], above: tuple[str, ...]
) -> Iterator[tuple[tuple[str, ...], Spot]]:
    for spot in spots:
        path = (*above, spot.id)
        yield path, spot
        yield from _places(spot.below, path)


def changes(before: Places, after: Places) -> Iterator[str]:
    """What is another than it was: a line each."""
    for path, spot in after.items():
        known = before.get(path)
        if known is None or (known.state, known.run) != (spot.state, spot.run):
            yield f"{'/'.join(path)}: {spot.state}, run {spot.run}"
    for path in before:
        if path not in after:
            yield f"{'/'.join(path)}: gone"
