"""Families: the children of an agent.

An agent's children live under a supervisor of its own, in the nursery of its run: they end before
it does, and are stopped in reverse. Which they are belongs to the agent's place, so that the next
run can start them again. Detached children live under the runtime, and adopted ones wherever they
lived before.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Final, TypeAlias, cast, final

from attrs import define, evolve, frozen

from trido.agents import Address, Signal
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
from trido.runtime.errors import AgentStopped, AlreadyRegistered, NoSuchAgent, NoSuchChild
from trido.runtime.partition import id_in, partition_of
from trido.runtime.ref import AgentRef
from trido.runtime.spec import AgentSpec, PolicyOptions
from trido.runtime.standing import Standing, give_up
from trido.supervision import (
    Backoff,
    ChildNotFound,
    Spec,
    Supervisor,
    SupervisorSpec,
    SupervisorStopped,
)

if TYPE_CHECKING:
    from trido.runtime.host import Host
    from trido.runtime.place import AgentPlace
    from trido.runtime.server import AgentRun

FamilyDirective: TypeAlias = SpawnAgent | StopChild | AdoptChild
BACKOFF: Final = Backoff(min=0.1, max=30.0, factor=2.0, jitter=0.1)
"""How a spawned or started agent is restarted, unless it says otherwise."""
AS_STARTED: Final[PolicyOptions] = {"on_limit": "park", "backoff": BACKOFF}
"""What `Agent.spec` is given for one that is started in a runtime, likewise."""


@final
@frozen(eq=False)
class Kin:
    """Whose child an agent is."""

    parent: AgentPlace[Any]
    tag: str
    on_parent_death: OnParentDeath | None = None
    """None: it lives with its parent, and ends before it does."""

    def is_of(self, parent: AgentPlace[Any], tag: str) -> bool:
        """Whether it is this child of this agent."""
        return self.parent is parent and self.tag == tag


@final
@define(eq=False, repr=False)
class Member:
    """One child."""

    tag: str
    spec: Spec[Any] | None = None
    """How to start it again; None for one that lives elsewhere."""
    place: AgentPlace[Any] | None = None
    """Where it is, if it is an agent."""
    begun_by: SpawnAgent | None = None
    """The directive that is starting it: that sees to it, in the next run if need be."""
    standing: Standing | None = None
    """The directive that spawned or adopted it: in the journal for as long as it is a child."""

    def gone(self) -> None:
        """There is no such child any more."""
        if self.standing is not None:
            self.standing.done()


@final
class Family:
    """The children of one agent."""

    __slots__ = ("_former", "_members", "_place", "supervisor")

    def __init__(self, place: AgentPlace[Any]) -> None:
        self._place = place
        self._members: dict[str, Member] = {}
        self._former: dict[str, AgentPlace[Any]] = {}
        """The places of those that the last run had."""
        self.supervisor: Supervisor | None = None
        """Of those that live with their parent, while there are any."""

    def __len__(self) -> int:
        return len(self._members)

    # Runs of the parent -----------------------------------------------------------------------

    async def open(self, host: Host) -> None:
        """Start those that every run has, and those that the last one spawned if it goes on.

        If one fails before it is ready, so does the run.
        """
        for child in self._place.settings.children:
            member = self._declared(child)
            self._members.setdefault(member.tag, member)
        members = [one for one in self._members.values() if one.begun_by is None]
        specs = [member.spec for member in members if member.spec is not None]
        if specs:
            await self._supervise(host, specs).settled.wait()

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
        self.supervisor = supervisor
        host.start_soon(self._run, run, supervisor)
        return supervisor

    async def _run(self, run: AgentRun[Any], supervisor: Supervisor) -> None:
        await supervisor.run()
        self.supervisor = None
        error = supervisor.take_error()
        if error is not None:
            run.failed(error)

    async def close(self) -> None:
        """Stop those that live with their parent, in reverse."""
        supervisor = self.supervisor
        if supervisor is not None:
            supervisor.stop()
            await supervisor.over.wait()

    def forget(self) -> None:
        """The next run begins without those that this one spawned."""
        members = self._members.values()
        self._former = {one.tag: one.place for one in members if one.place is not None}
        self._members = {
            tag: member for tag, member in self._members.items() if member.spec is None
        }

    def parent_ended(self) -> None:
        """It will not run again: what becomes of those that live elsewhere."""
        members, self._members = self._members, {}
        for member in members.values():
            if self._place.ends_for_good:
                member.gone()
            child = member.place
            if child is not None and child.kin is not None and member.spec is None:
                _orphan(child, child.kin)

    # Directives -------------------------------------------------------------------------------

    async def carry_out(self, directive: FamilyDirective, standing: Standing | None = None) -> bool:
        """Spawn, stop or adopt a child; False if the run ends first. Raises what goes wrong."""
        if isinstance(directive, SpawnAgent):
            started = await self._spawn(directive)
            self._stands_by(directive.tag, standing)
            return started
        if isinstance(directive, StopChild):
            return await self._stop(directive.tag)
        self._adopt(directive)
        self._stands_by(directive.tag, standing)
        return True

    async def _spawn(self, directive: SpawnAgent) -> bool:
        spec = self._spec_of(directive)
        member = self._begun(directive)
        member.spec = None if directive.detached else spec
        try:
            if directive.detached:
                await self._start_outside(member, spec)
            elif not await self._start_here(spec):
                return False
        except BaseException:
            self._forget(member)
            raise
        member.begun_by = None
        return True

    def _begun(self, directive: SpawnAgent) -> Member:
        """The child that this directive starts; the last run may have begun to."""
        tag = directive.tag
        member = self._members.setdefault(tag, Member(tag, begun_by=directive))
        if member.begun_by is not directive:
            raise AlreadyRegistered(tag, child_of=self._place.id)
        return member

    def _stands_by(self, tag: str, standing: Standing | None) -> None:
        """The directive of a child is in the journal for as long as there is the child."""
        member = self._members.get(tag)
        if member is not None:
            member.standing = standing
        elif standing is not None:
            standing.done()

    async def _start_outside(self, member: Member, spec: AgentSpec[Any]) -> None:
        runtime = self._place.runtime_for("detached=True")
        child = self._place.env.places.get(spec.id)
        if child is not None and child.kin is not None and child.kin.is_of(self._place, member.tag):
            member.place = child  # a start that the last run had begun was carried through
        else:
            await runtime.start_in_place(spec)

    async def _start_here(self, spec: AgentSpec[Any]) -> bool:
        supervisor = self.supervisor or self._supervise(self._place.run.need_host(), [])
        try:
            await supervisor.start_place(spec.id, spec)
        except SupervisorStopped:
            return False
        return True

    def _spec_of(self, directive: SpawnAgent) -> AgentSpec[Any]:
        place = self._place
        kin = Kin(place, directive.tag, directive.on_parent_death if directive.detached else None)
        given = {"on_limit": "park", "backoff": BACKOFF, **directive.settings}
        id, runtime = _id_of(place, directive), place.env.runtime
        spec: AgentSpec[Any] = directive.agent.spec(id=id, runtime=runtime, **given)
        return evolve(spec, kin=kin)

    async def _stop(self, tag: str) -> bool:
        member = self._members.get(tag)
        if member is None:
            raise NoSuchChild(self._place.id, tag)
        try:
            await self._stop_member(member)
        except ChildNotFound:
            self._forget(member)
            raise NoSuchChild(self._place.id, tag) from None
        except SupervisorStopped:  # it ends with this run, or with the supervisor it lives under
            return member.spec is None
        self._forget(member)
        return True

    async def _stop_member(self, member: Member) -> None:
        if member.place is not None:
            await member.place.stop()
        elif self.supervisor is not None:  # pragma: no branch - it lives as long as they do
            await self.supervisor.stop_child(cast("Spec[Any]", member.spec))

    def _adopt(self, directive: AdoptChild) -> None:
        tag, ref = directive.tag, directive.ref
        if tag in self._members:
            raise AlreadyRegistered(tag, child_of=self._place.id)
        child = self._adoptable(ref)
        former = child.kin
        policy = "continue" if former is None else former.on_parent_death
        child.kin = Kin(self._place, tag, policy)
        self._members[tag] = Member(tag, place=child)
        if child.has_run:
            self.child_started(child, child.kin)

    def _adoptable(self, ref: Address) -> AgentPlace[Any]:
        def refused(allowed: str) -> SpecError:
            return SpecError("ref", ref, allowed, of="AdoptChild")

        env = self._place.env
        child = ref.place if isinstance(ref, AgentRef) else env.places.get(ref.id)
        if child is None or child.env is not env:
            raise refused("the ref of an agent of the same runtime")
        if child.has_ended:
            raise NoSuchAgent(child.id)
        if self._descends_from(child):
            raise refused("another agent, and none that this one descends from")
        if child.kin is not None and child.kin.on_parent_death is None:
            raise refused("no child that lives with its parent")
        if child.kin is not None and not child.kin.parent.has_ended:
            raise refused("nobody's child")
        return child

    def _descends_from(self, other: AgentPlace[Any]) -> bool:
        above: AgentPlace[Any] | None = self._place
        while above is not None and above is not other:
            above = above.parent
        return above is other

    # What the parent is told ------------------------------------------------------------------

    def former(self, kin: Kin) -> AgentPlace[Any] | None:
        """The last place of this child, if it has had one in this run of its parent or the last."""
        member = self._members.get(kin.tag)
        place = None if member is None else member.place
        return self._former.get(kin.tag) if place is None else place

    def child_started(self, child: AgentPlace[Any], kin: Kin) -> None:
        """A run of a child is ready."""
        member = self._members.get(kin.tag)
        if member is not None:
            member.place = child
        data = ChildStarted(kin.tag, child.id, child.incarnation, child.ref)
        self._place.tell_if_wanted(Signal("agent.child.started", data))

    def child_exit(self, child: AgentPlace[Any], kin: Kin, down: Down, *, comes_back: bool) -> None:
        """A run of a child has ended.

        Not told of a child that never was ready: whoever wanted it is told otherwise. Nor of one
        that ends with its parent's run.
        """
        member = self._members.get(kin.tag)
        if member is not None and member.place is child and not self._ends_too(kin):
            data = ChildExit(kin.tag, down, comes_back)
            self._place.tell_if_wanted(Signal("agent.child.exit", data))

    def child_gone(self, kin: Kin, down: Down | None) -> None:
        """A child has left for good. If that is by the end of its parent's run, it is kept.

        So is one that could not be started again: then its parent's run fails, and the next tries.
        """
        ended_itself = down is not None and down.reason == "normal"
        if ended_itself or not (self._ends_too(kin) or self._opens()):
            member = self._members.pop(kin.tag, None)
            if member is not None and not self._place.env.is_ending:
                member.gone()

    def _opens(self) -> bool:
        """Whether the run has not got the children yet that it begins with."""
        return self.supervisor is not None and not self.supervisor.settled.is_set()

    def _ends_too(self, kin: Kin) -> bool:
        supervisor = self.supervisor
        ends = supervisor is None or supervisor.has_begun_to_end
        return ends and kin.on_parent_death is None

    def _forget(self, member: Member) -> None:
        if self._members.get(member.tag) is member:
            del self._members[member.tag]
            member.gone()


def _id_of(parent: AgentPlace[Any], directive: SpawnAgent) -> str:
    if directive.id is None:
        return f"{parent.id}/{directive.tag}"
    return id_in(partition_of(parent.id), directive.id)


def _orphan(child: AgentPlace[Any], kin: Kin) -> None:
    if kin.on_parent_death == "stop":
        child.stop_soon()
    elif kin.on_parent_death == "orphan":
        child.kin = None
        child.tell_if_wanted(Signal("agent.orphaned", Orphaned(kin.parent.id)))


@final
class FamilyErrand:
    """A directive about children. It is carried out by a task of the parent's run.

    If that run ends meanwhile, the next one does it. What is sent to a child that is about to start
    waits for it.
    """

    LANE: ClassVar[str] = "children"

    __slots__ = ("_begun_by", "_directive", "_family", "_place", "_standing", "_starts")

    def __init__(
        self,
        place: AgentPlace[Any],
        directive: FamilyDirective,
        standing: Standing | None = None,
    ) -> None:
        self._standing = standing
        self._place = place
        self._family = place.family  # from now on: it has to know when a run ends
        self._directive = directive
        self._begun_by: AgentRun[Any] | None = None
        self._starts: str | None = None
        if isinstance(directive, SpawnAgent) and place.env.runtime is not None:
            self._starts = _id_of(place, directive)
            place.env.starts(self._starts)

    def begin(self) -> bool:
        """Do it, if there is a run to do it, and none is at it."""
        run = self._place.run if self._place.has_run else None
        if run is not None and run.carries_out and run is not self._begun_by:
            self._begun_by = run
            run.need_host().start_soon(self._carry_out, run)
        return False

    async def _carry_out(self, run: AgentRun[Any]) -> None:
        place = self._place
        try:
            if self._standing is not None:
                await self._standing.tried()
            carries_out = run.carries_out
            if not (carries_out and await self._family.carry_out(self._directive, self._standing)):
                return  # the next run does it, if there is one
        except SupervisorStopped:
            self.give_up()  # its runtime ends
        except Exception as error:
            place.directive_failed(self._directive, error)
            if self._standing is not None:
                self._standing.settle("failed", type(error).__name__)
        else:
            # Those of a child stand for as long as there is the child.
            if self._standing is not None and isinstance(self._directive, StopChild):
                self._standing.done()
        self._over()
        place.outbox.done(self.LANE)

    def _over(self) -> None:
        if self._starts is not None:
            id, self._starts = self._starts, None
            self._place.env.starts_no_more(id)

    def give_up(self) -> None:
        """Its parent has ended."""
        self._over()
        directive, standing = self._directive, self._standing
        if standing is not None:
            give_up(self._place, directive, standing, AgentStopped(self._place.id))
            return

        def again(place: AgentPlace[Any]) -> None:
            place.outbox.put(self.LANE, FamilyErrand(place, directive))

        self._place.bury_directive(directive, AgentStopped(self._place.id), again)
