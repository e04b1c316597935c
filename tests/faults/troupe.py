"""Children that do what Hypothesis thinks of, and a stage that knows who is alive."""

from __future__ import annotations

import math
from collections.abc import Generator
from contextlib import contextmanager
from typing import Any, Literal, TypeAlias

import trio
from attrs import Factory, define, frozen
from hypothesis import strategies as st

import trido

Path: TypeAlias = tuple[str, ...]
Stop: TypeAlias = Literal["obeys", "cleans up", "returns", "raises", "hides", "endures"]


@frozen
class Script:
    """What a child does."""

    slow: float = 0.0
    """How long it takes to become ready."""
    bad_runs: frozenset[int] = frozenset()
    """These runs fail before they are ready."""
    ignored_runs: frozenset[int] = frozenset()
    stop: Stop = "obeys"
    life: float = math.inf
    """Then it crashes."""


@define(eq=False)
class Player:
    """A run of a child."""

    path: Path
    incarnation: int
    script: Script
    ready: bool = False
    cue: trio.Event = Factory(trio.Event)
    error: BaseException | None = None

    def end(self, error: BaseException | None) -> None:
        self.error = error
        self.cue.set()


@define(eq=False)
class Stage:
    alive: dict[Path, Player] = Factory(dict)
    machines: list[Any] = Factory(list)
    """Of all supervisors there ever were, in the order in which they began."""
    ended: list[Path] = Factory(list)
    """In the order in which they did."""
    last_words: dict[tuple[Path, int], BaseException | None] = Factory(dict)
    """What each run raised in the end."""
    faults: list[BaseException] = Factory(list)
    """What must not be; a supervisor would take it for a crash."""

    @contextmanager
    def entered(self, player: Player) -> Generator[None]:
        if player.path in self.alive:
            self.faults.append(AssertionError(f"two runs of {player.path}"))
        self.alive[player.path] = player
        words: BaseException | None = None
        try:
            yield
        except BaseException as error:
            words = error
            raise
        finally:
            self.last_words[player.path, player.incarnation] = words
            self.ended.append(player.path)
            if self.alive.pop(player.path, None) is not player:
                self.faults.append(AssertionError(f"somebody else was at {player.path}"))

    async def play(self, script: Script, *, task_status: trio.TaskStatus[str]) -> None:
        child = trido.current_child()
        path = (*child.supervisor.path, child.id)
        player = Player(path, child.incarnation, script)
        with self.entered(player):
            if script.slow:
                with trio.CancelScope(shield=script.stop == "hides"):
                    await trio.sleep(script.slow)
            if player.incarnation in script.bad_runs:
                raise LookupError("a bad run")
            if player.incarnation in script.ignored_runs:
                raise trido.Ignore
            task_status.started("ready")
            player.ready = True
            await self._live(player)

    async def _live(self, player: Player) -> None:
        stop = player.script.stop
        try:
            with trio.CancelScope(shield=stop == "hides"):
                await self._wait(player)
        except trio.Cancelled:
            if stop == "returns":
                return
            if stop == "raises":
                raise OSError("while stopping") from None
            if stop == "cleans up":
                with trido.cleanup():
                    await trio.sleep(0.75)
            raise

    async def _wait(self, player: Player) -> None:
        while player.script.stop == "endures" and not player.cue.is_set():
            with trio.CancelScope(shield=True):
                try:
                    await player.cue.wait()
                except trio.Cancelled:  # noqa: ASYNC103
                    continue
        with trio.move_on_after(player.script.life):
            await player.cue.wait()
            if player.error is not None:
                raise player.error
            return
        raise ValueError("its time has come")


SCRIPTS = st.builds(
    Script,
    slow=st.sampled_from([0.0, 0.0, 0.0, 0.5, 3.0]),
    bad_runs=st.sampled_from([(), (), (2,), (2, 3), (3, 5), (1,)]).map(frozenset),
    ignored_runs=st.sampled_from([(), (), (), (2,), (1,)]).map(frozenset),
    stop=st.sampled_from(
        ["obeys", "obeys", "obeys", "cleans up", "returns", "raises", "hides", "endures"]
    ),
    life=st.sampled_from([math.inf, math.inf, math.inf, 1.0, 2.25]),
)


@frozen
class Part:
    """A child's script, and what its spec says besides."""

    script: Script
    options: dict[str, Any]

    def spec(self, stage: Stage, id: str, *, parks: bool, significance: bool) -> trido.Spec[Any]:
        """Within what its supervisor allows."""
        options = dict(self.options)
        options["significant"] = (
            options["significant"] and significance and options["restart"] != "permanent"
        )
        if not parks:
            options["on_limit"] = "escalate"
        return trido.ChildSpec(stage.play, self.script, id=id, ready="started", **options)


@frozen
class Cast:
    """A supervisor's children, and what its spec says besides."""

    children: list[Part | Cast]
    options: dict[str, Any]

    def spec(self, stage: Stage, id: str, *, significance: bool) -> trido.SupervisorSpec:
        options = dict(self.options)
        options["significant"] = (
            options["significant"] and significance and options["restart"] != "permanent"
        )
        parks = options["strategy"] == "one_for_one"
        may = options["auto_shutdown"] != "never"
        children = [
            child.spec(stage, f"s{number}", significance=may)
            if isinstance(child, Cast)
            else child.spec(stage, f"w{number}", parks=parks, significance=may)
            for number, child in enumerate(self.children)
        ]
        return trido.SupervisorSpec(*children, id=id, **options)


RESTART = st.sampled_from(["permanent", "permanent", "transient", "temporary"])
BACKOFF = st.sampled_from([None, None, trido.Backoff(min=0.5, max=2.0, reset_after=1.0)])
PARTS = st.builds(
    Part,
    script=SCRIPTS,
    options=st.fixed_dictionaries(
        {
            "restart": RESTART,
            "shutdown": st.sampled_from([1.0, 1.0, 0.5, 0, trido.BRUTAL_KILL]),
            "start_timeout": st.sampled_from([math.inf, math.inf, 1.0]),
            "kill_timeout": st.just(0.5),
            "significant": st.booleans(),
            "backoff": BACKOFF,
            "on_limit": st.sampled_from(["escalate", "escalate", "park"]),
        }
    ),
)
_SUPERVISOR = st.fixed_dictionaries(
    {
        "strategy": st.sampled_from(["one_for_one", "one_for_all", "rest_for_one"]),
        "max_restarts": st.sampled_from([3, 1, 2, 6, 0]),
        "max_seconds": st.sampled_from([5.0, 1.0]),
        "max_consecutive": st.sampled_from([None, None, None, 1, 2]),
        "auto_shutdown": st.sampled_from(
            ["never", "never", "never", "any_significant", "all_significant"]
        ),
        "restart": RESTART,
        "shutdown": st.sampled_from([math.inf, math.inf, 1.0]),
        "significant": st.booleans(),
        "shutdown_timeout": st.sampled_from([math.inf, 1.0]),
    }
)


def _casts(children: st.SearchStrategy[Any]) -> st.SearchStrategy[Cast]:
    return st.builds(Cast, children=st.lists(children, min_size=1, max_size=3), options=_SUPERVISOR)


TREES = _casts(PARTS | PARTS | _casts(PARTS | PARTS | _casts(PARTS)))
