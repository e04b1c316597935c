"""Families: the children of an agent.

An agent's children live under a supervisor of its own, in the nursery of its run: they end before
it does, and are stopped in reverse. Which they are belongs to the agent's place, so that the next
run can start them again. Detached children live under the runtime, and adopted ones wherever they
lived before.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Final, TypeAlias, final

from attrs import define, evolve, frozen

from trido.agents import Signal
from trido.agents.family import (
    AdoptChild,
    ChildExit,
    ChildStarted,
    Down,
    OnParentDeath,
    Orphaned,
    SpawnAgent,
    StopChild,
)
from trido.errors import SpecError
from trido.runtime.errors import AgentStopped, AlreadyRegistered, NoSuchChild
from trido.runtime.ref import AgentRef
from trido.runtime.spec import AgentSpec
from trido.supervision import Backoff, Spec, Supervisor, SupervisorSpec, SupervisorStopped

if TYPE_CHECKING:
    from trido.runtime.host import Host
    from trido.runtime.place import AgentPlace
    from trido.runtime.server import AgentRun

FamilyDirective: TypeAlias = SpawnAgent | StopChild | AdoptChild
BACKOFF: Final = Backoff(min=0.1, max=30.0, factor=2.0, jitter=0.1)
"""How a spawned or started agent is restarted, unless it says otherwise."""


@final
@frozen(eq=False)
class Kin:
    """Whose child an agent is."""

    parent: AgentPlace[Any]
    tag: str
    on_parent_death: OnParentDeath | None = None
    """None: it lives with its parent, and ends before it does."""


@final
@define(eq=False)
class Member:
    """One child."""

    tag: str
    spec: Spec[Any] | None = None
    """How to start it again; None for one that lives elsewhere."""
    place: AgentPlace[Any] | None = None
    """Where it is, if it is an agent."""


@final
class Family:
    """The children of one agent."""

    __slots__ = ("_closes", "_members", "_opens", "_place", "_supervisor")

    def __init__(self, place: AgentPlace[Any]) -> None:
        self._place = place
        self._members: dict[str, Member] = {}
        self._supervisor: Supervisor | None = None
        self._opens = self._closes = False

    def __len__(self) -> int:
        return len(self._members)

    # Runs of the parent -----------------------------------------------------------------------

    async def open(self, host: Host) -> None:
        """Start those that every run has, and those that the last one spawned if it goes on.

        Raises:
          StartFailed: one failed before it was ready.
        """
        self._opens = self._closes = False
        place = self._place
        for child in place.settings.children:
            member = self._declared(child)
            self._members.setdefault(member.tag, member)
        specs = [member.spec for member in self._members.values() if member.spec is not None]
        if not specs:
            return
        self._opens = True
        supervisor = self._supervise(host, specs)
        await supervisor.settled.wait()
        self._opens = False
        error = supervisor.take_error()
        if error is not None:
            raise error

    def _declared(self, child: SpawnAgent | Spec[Any]) -> Member:
        if isinstance(child, SpawnAgent):
            return Member(child.tag, self._spec_of(child))
        return Member(child.child_id, child)

    def _supervise(self, host: Host, specs: list[Spec[Any]]) -> Supervisor:
        run = self._place.run
        spec = SupervisorSpec(*specs, id=self._place.id)
        above = run.report.child.supervisor
        supervisor = Supervisor(spec, above.bus, above=above, forgets=True)
        supervisor.opened_by = run.current
        self._supervisor = supervisor
        host.start_soon(self._run, run, supervisor)
        return supervisor

    async def _run(self, run: AgentRun[Any], supervisor: Supervisor) -> None:
        await supervisor.run()
        self._supervisor = None
        if self._opens or self._closes:
            return
        error = supervisor.take_error()
        if error is not None:
            run.failed(error)

    async def close(self) -> None:
        """Stop those that live with their parent, in reverse."""
        self._closes = True
        supervisor = self._supervisor
        if supervisor is not None:
            supervisor.stop()
            await supervisor.over.wait()

    def forget(self) -> None:
        """The next run begins without those that this one spawned."""
        self._members = {
            tag: member for tag, member in self._members.items() if member.spec is None
        }

    def parent_ended(self) -> None:
        """It will not run again: what becomes of those that live elsewhere."""
        members, self._members = self._members, {}
        for member in members.values():
            child = member.place
            if child is not None and child.kin is not None and member.spec is None:
                _orphan(child, child.kin)

    # Directives -------------------------------------------------------------------------------

    async def carry_out(self, directive: FamilyDirective) -> None:
        """Spawn, stop or adopt a child. Raises what goes wrong."""
        if isinstance(directive, SpawnAgent):
            await self._spawn(directive)
        elif isinstance(directive, StopChild):
            await self._stop(directive.tag)
        else:
            self._adopt(directive)

    async def _spawn(self, directive: SpawnAgent) -> None:
        tag = directive.tag
        if tag in self._members:
            raise AlreadyRegistered(tag)
        spec = self._spec_of(directive)
        member = self._members[tag] = Member(tag, None if directive.detached else spec)
        try:
            if directive.detached:
                await self._place.runtime_for("detached=True").start_spec(spec)
            else:
                await self._here().start_place(spec.id, spec)
        except BaseException:
            if self._members.get(tag) is member:
                del self._members[tag]
            raise

    def _here(self) -> Supervisor:
        supervisor = self._supervisor
        return (
            self._supervise(self._place.run.need_host(), []) if supervisor is None else supervisor
        )

    def _spec_of(self, directive: SpawnAgent) -> AgentSpec[Any]:
        place = self._place
        kin = Kin(place, directive.tag, directive.on_parent_death if directive.detached else None)
        given = {"on_limit": "park", "backoff": BACKOFF, **directive.settings}
        id = directive.id or f"{place.id}/{directive.tag}"
        spec: AgentSpec[Any] = directive.agent.spec(id=id, runtime=place.env.runtime, **given)
        return evolve(spec, kin=kin)

    async def _stop(self, tag: str) -> None:
        member = self._members.get(tag)
        if member is None:
            raise NoSuchChild(self._place.id, tag)
        if member.place is not None:
            await member.place.stop()
        elif self._supervisor is not None and member.spec is not None:
            await self._supervisor.stop_child(member.spec)
        self._members.pop(tag, None)

    def _adopt(self, directive: AdoptChild) -> None:
        tag, ref = directive.tag, directive.ref
        if tag in self._members:
            raise AlreadyRegistered(tag)
        if not isinstance(ref, AgentRef):
            raise SpecError("ref", ref, "the ref of an agent", of="AdoptChild")
        child = ref.place
        if child.kin is not None and child.kin.on_parent_death is None:
            raise SpecError("ref", ref, "no child that lives with its parent", of="AdoptChild")
        if child.kin is not None and not child.kin.parent.has_ended:
            raise SpecError("ref", ref, "nobody's child", of="AdoptChild")
        policy: OnParentDeath = "continue"
        if child.kin is not None and child.kin.on_parent_death is not None:
            policy = child.kin.on_parent_death
        child.kin = Kin(self._place, tag, policy)
        self._members[tag] = Member(tag, place=child)
        if child.has_run:
            self.child_started(child, child.kin)

    # What the parent is told ------------------------------------------------------------------

    def child_started(self, child: AgentPlace[Any], kin: Kin) -> None:
        """A run of a child is ready."""
        member = self._members.get(kin.tag)
        if member is not None:
            member.place = child
        data = ChildStarted(kin.tag, child.id, child.incarnation, child.ref)
        self._place.tell_if_wanted(Signal("agent.child.started", data))

    def child_exit(self, kin: Kin, down: Down, *, comes_back: bool) -> None:
        """A run of a child has ended."""
        data = ChildExit(kin.tag, down, comes_back)
        self._place.tell_if_wanted(Signal("agent.child.exit", data))

    def child_gone(self, kin: Kin) -> None:
        """A child has left for good."""
        if not self._closes:
            self._members.pop(kin.tag, None)


def _orphan(child: AgentPlace[Any], kin: Kin) -> None:
    if kin.on_parent_death == "stop":
        child.stop_soon()
    elif kin.on_parent_death == "orphan":
        child.kin = None
        child.tell_if_wanted(Signal("agent.orphaned", Orphaned(kin.parent.id)))


@final
class FamilyErrand:
    """A directive about children. It is carried out by a task of the parent's run.

    If that run ends meanwhile, the next one does it.
    """

    LANE: ClassVar[str] = "children"

    __slots__ = ("_directive", "_place")

    def __init__(self, place: AgentPlace[Any], directive: FamilyDirective) -> None:
        self._place = place
        self._directive = directive

    def begin(self) -> bool:
        """Do it, if there is a run to do it."""
        run = self._place.serving_run
        if run is not None:
            run.need_host().start_soon(self._carry_out, run)
        return False

    async def _carry_out(self, run: AgentRun[Any]) -> None:
        place = self._place
        try:
            await place.family.carry_out(self._directive)
        except SupervisorStopped:
            return  # its parent ends
        except Exception as error:
            place.directive_failed(self._directive, error)
        place.outbox.done(self.LANE)

    def give_up(self) -> None:
        """Its parent has ended."""
        self._place.bury_directive(self._directive, AgentStopped(self._place.id))
