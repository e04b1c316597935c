"""Directives about other agents: children, monitors and links."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, TypeAlias, final

from attrs import field, frozen

from trido.agents.address import Address
from trido.agents.directive import Directive
from trido.agents.frozen import EMPTY, freeze
from trido.checks import flag, one_of, text
from trido.errors import SpecError
from trido.values import ByFields

OnParentDeath: TypeAlias = Literal["stop", "continue", "orphan"]


@final
@frozen(eq=False, repr=False)
class SpawnAgent(Directive):
    """Start a child of this agent and call it ``tag``.

    It lives in the agent's own nursery: it ends before the agent does, and its crashes are its
    own: it is restarted, and parked if it crashes too often. The agent is told by
    ``agent.child.started`` and ``agent.child.exit``, if it has routes for them.

    A ``detached`` child lives under the runtime instead and may outlive the agent;
    ``on_parent_death`` says what becomes of it once the agent has ended for good: it is stopped,
    goes on as if nothing were (``"continue"``), or is told by ``agent.orphaned`` (``"orphan"``).
    """

    agent: Any
    """A `trido.Agent`."""
    tag: str
    id: str | None = field(default=None, kw_only=True)
    """Its id; the parent's id, a slash and the tag if it is not given."""
    detached: bool = field(default=False, kw_only=True)
    on_parent_death: OnParentDeath = field(default="stop", kw_only=True)
    settings: Mapping[str, Any] = field(default=EMPTY, kw_only=True, converter=freeze)
    """What ``agent.spec()`` takes besides: ``restart``, ``mailbox`` …"""

    def __attrs_post_init__(self) -> None:
        text("SpawnAgent", "tag", self.tag)
        if self.id is not None:
            text("SpawnAgent", "id", self.id)
        flag("SpawnAgent", "detached", self.detached)
        allowed = ("stop", "continue", "orphan")
        one_of("SpawnAgent", "on_parent_death", self.on_parent_death, allowed)
        if not callable(getattr(self.agent, "spec", None)):
            raise SpecError("agent", self.agent, "a trido.Agent", of="SpawnAgent")
        if not isinstance(self.settings, Mapping):
            raise SpecError("settings", self.settings, "a mapping of names", of="SpawnAgent")
        # It refuses what cannot be. Whether the child can be durable is for its runtime to say.
        settings = {**self.settings, "durability": "none"}
        self.agent.spec(id=self.id or f"?/{self.tag}", **settings)


@final
@frozen(eq=False, repr=False)
class StopChild(Directive):
    """Stop the child of this tag, in order. Its place goes."""

    tag: str

    def __attrs_post_init__(self) -> None:
        text("StopChild", "tag", self.tag)


@final
@frozen(eq=False, repr=False)
class AdoptChild(Directive):
    """Become the parent of an agent of the runtime that is nobody's child, and call it ``tag``.

    So is one whose parent has ended. It stays where it lives: it does not end with its parent, but
    as its ``on_parent_death`` says; one that was never spawned goes on. A durable agent adopts it
    again in the next process, once there is an agent of its id.
    """

    ref: Address
    tag: str

    def __attrs_post_init__(self) -> None:
        _address("AdoptChild", self.ref)
        text("AdoptChild", "tag", self.tag)


@final
@frozen(eq=False, repr=False)
class Monitor(Directive):
    """Have the signal ``agent.down`` sent to this agent once the current run of ``ref`` ends.

    Its data is a `Down`. It comes once; at once, with the reason ``"noproc"``, if there is no run.
    Monitoring ends with the run of this agent that began it; what was told by then still comes.
    """

    ref: Address

    def __attrs_post_init__(self) -> None:
        _address("Monitor", self.ref)


@final
@frozen(eq=False, repr=False)
class Demonitor(Directive):
    """Do not monitor ``ref`` any more; with ``flush``, withdraw an ``agent.down`` not yet begun."""

    ref: Address
    flush: bool = field(default=False, kw_only=True)

    def __attrs_post_init__(self) -> None:
        _address("Demonitor", self.ref)
        flag("Demonitor", "flush", self.flush)


@final
@frozen(eq=False, repr=False)
class Link(Directive):
    """Tie the current runs of this agent and ``ref``: if one ends abnormally, so does the other.

    A crash or a kill is abnormal; an ordered stop, a `Stop` and a `Shutdown` are not. An agent
    with ``trap_exits=True`` is sent ``agent.exit`` instead, with a `Down`.
    """

    ref: Address

    def __attrs_post_init__(self) -> None:
        _address("Link", self.ref)


def _address(of: str, ref: object) -> None:
    if not isinstance(ref, Address):
        raise SpecError("ref", ref, "an agent's ref", of=of)


@final
@frozen(eq=False, repr=False)
class Down(ByFields):
    """The end of a run, as a monitor, a link or a parent is told of it."""

    id: str
    incarnation: int
    reason: str
    """``"normal"``, ``"stopped"``, ``"killed"``, ``"crashed"``, or ``"noproc"``: no run."""
    error: str | None = field(default=None, kw_only=True)
    """What it crashed by, in words without secrets."""


@final
@frozen(eq=False, repr=False)
class ChildStarted(ByFields):
    """The data of ``agent.child.started``: a run of a child is ready."""

    tag: str
    id: str
    incarnation: int
    ref: Address


@final
@frozen(eq=False, repr=False)
class ChildExit(ByFields):
    """The data of ``agent.child.exit``: a run of a child has ended."""

    tag: str
    down: Down
    comes_back: bool
    """Whether it is to be restarted; if not, it is parked or gone. If a restart is given up, that
    is told by another `ChildExit` of the same run."""


@final
@frozen(eq=False, repr=False)
class Orphaned(ByFields):
    """The data of ``agent.orphaned``: the parent has ended for good."""

    parent: str
