"""An app that runs for a drill: what happens in it is heard, and its children can be crashed."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterator, Sequence
from contextlib import asynccontextmanager
from typing import Any, Final, TypeVar

import trio
from attrs import Factory, define

from trido.cli.kinds import App, Context, Tree
from trido.cli.load import UserError
from trido.cli.run import supervisor_of
from trido.runtime import AgentRef, Runtime
from trido.supervision import RestartLimitExceeded, events, open_supervisor
from trido.supervision.child import Child
from trido.supervision.messages import RunFailing
from trido.supervision.policy import ChildPolicy
from trido.supervision.supervisor import SupervisorBase

E = TypeVar("E", bound=events.Event)

PATIENCE: Final = 30.0
"""Seconds in which a child has to be back."""


_LOOK: Final = 0.01
"""Seconds between two looks at a child."""
_NOT_COMING_BACK: Final = frozenset({"stopped", "parked", "removed", "zombie"})


class NotForThisApp(UserError):
    """The app has nothing that the drill is about; the message says what."""


class Planned(Exception):
    """What a drill crashes a child by."""


@define(eq=False)
class Stage:
    """An app while it runs."""

    supervisor: SupervisorBase
    runtime: Runtime | None = None
    heard: list[events.Event] = Factory(list)
    gave_up: bool = False
    """Whether its root gave up, once it has ended."""

    def of(self, kind: type[E]) -> list[E]:
        """What was heard of this kind."""
        return [one for one in self.heard if isinstance(one, kind)]

    def supervisors(self) -> list[SupervisorBase]:
        """All of them, from the root down."""
        return list(_supervisors(self.supervisor))

    def workers(self) -> list[Child[Any]]:
        """The children that are no supervisors, and run, in start order."""
        found = [one[info.id] for one in self.supervisors() for info in one.children()]
        return [one for one in found if one.record.policy.kind == "worker" and one.run is not None]

    def restarted(self) -> list[Child[Any]]:
        """Those of them that are meant to come back after such a crash as a drill's."""
        return [one for one in self.workers() if _comes_back(one.record.policy)]

    def at(self, above: Sequence[str], id: str) -> Child[Any] | None:
        """The child that is there now; None: there is none."""
        found = (one for one in self.supervisors() if tuple(one.path) == tuple(above))
        return next((one[id] for one in found if id in one), None)

    def agents(self) -> list[AgentRef[Any]]:
        """The agents among them."""
        return [one.value for one in self.workers() if isinstance(one.value, AgentRef)]


async def all_gone(stage: Stage, within: float) -> bool:
    """Wait until no child has a run any more."""
    with trio.move_on_after(within):
        while stage.workers():  # noqa: ASYNC110  # there is no event for all of them
            await trio.sleep(_LOOK)
        return True
    return False


def _comes_back(policy: ChildPolicy) -> bool:
    restarts = issubclass(Planned, policy.restart_on)
    escalates = issubclass(Planned, policy.escalate_on)
    return policy.restart != "temporary" and restarts and not escalates


def _supervisors(one: SupervisorBase) -> Iterator[SupervisorBase]:
    yield one
    for info in one.children():
        run = one[info.id].run
        below = None if run is None else run.below()
        if below is not None:
            yield from _supervisors(below)


def crash(child: Child[Any]) -> None:
    """Have the current run of a child fail: it is stopped, and that is a crash."""
    failing = RunFailing(
        now=trio.current_time(),
        id=child.id,
        run=child.incarnation,
        error=Planned(f"a drill crashed {child.id}"),
    )
    child.supervisor.post(failing)


async def runs_at(stage: Stage, above: Sequence[str], id: str) -> Child[Any] | None:
    """Wait until a child runs under the supervisor of this path. None: it does not."""
    with trio.move_on_after(PATIENCE):
        while True:
            child = stage.at(above, id)
            if child is not None and child.state == "running":
                return child
            if child is not None and child.state in _NOT_COMING_BACK:
                return None
            await trio.sleep(_LOOK)
    return None


async def is_back(child: Child[Any], after: int, within: float = PATIENCE) -> bool:
    """Wait until it runs again, in a later run than ``after``; or it is clear that it will not."""
    with trio.move_on_after(within):
        while not (child.state == "running" and child.incarnation > after):
            if child.state in _NOT_COMING_BACK or child.supervisor.has_ended:
                return False
            await trio.sleep(_LOOK)
        return True
    return False


@asynccontextmanager
async def staged(app: App) -> AsyncGenerator[Stage]:
    """Run an app. What it ends by, if its root gives up, ends the block and nothing else.

    Raises:
      UserError: it cannot be told what runs in it.
    """
    stage: Stage | None = None
    try:
        async with _opened(app) as stage:
            yield stage
    except (RestartLimitExceeded, ExceptionGroup) as error:
        alone = _alone(error)
        if stage is None or not isinstance(alone, RestartLimitExceeded):
            raise alone from None
        stage.gave_up = True


def _alone(error: Exception) -> Exception:
    """The one error in it: an app may have nurseries of its own, which wrap what passes."""
    while isinstance(error, ExceptionGroup) and len(error.exceptions) == 1:
        error = error.exceptions[0]
    return error


@asynccontextmanager
async def _opened(app: App) -> AsyncGenerator[Stage]:
    if isinstance(app, Tree):
        heard: list[events.Event] = []
        async with open_supervisor(spec=app.spec, observers=(heard.append,)) as supervisor:
            yield Stage(supervisor, heard=heard)
    elif isinstance(app, Context):
        async with app.manager as opened:
            stage = Stage(supervisor_of("the app", opened))
            stage.runtime = opened if isinstance(opened, Runtime) else None
            stage.supervisor.bus._observers.append(stage.heard.append)
            yield stage
    else:
        allowed = "name a spec, or what opens a runtime or a supervisor by async with"
        raise UserError(f"it cannot be seen what runs in an async function: {allowed}")


async def room_for_a_crash(supervisor: SupervisorBase) -> None:
    """Wait until one more restart is not over the limit because of those before."""
    limit = supervisor.spec.max_restarts
    if 0 < limit <= supervisor.statistics().restarts_in_window:
        await trio.sleep(supervisor.spec.max_seconds)
