"""An agent as a child of a supervisor, as data."""

from __future__ import annotations

from typing import TYPE_CHECKING, Generic, TypeVar, final

from attrs import field, frozen

from trido.checks import exceptions, name
from trido.runtime.ref import AgentRef
from trido.supervision import Backoff, Spec
from trido.supervision.policy import ChildPolicy, Exceptions, Grace, OnLimit, Restart

if TYPE_CHECKING:
    from trido.runtime.agent import Agent

S = TypeVar("S")


@final
@frozen(kw_only=True)
class AgentSpec(Spec[AgentRef[S]], Generic[S]):
    """Run an agent, and restart it by these rules. Made by `Agent.spec`.

    Raises:
      SpecError: a field is not what it may be.
    """

    agent: Agent[S]
    id: str
    restart: Restart = "transient"
    shutdown: Grace = 5.0
    significant: bool = False
    backoff: Backoff | None = None
    on_limit: OnLimit = "escalate"
    restart_on: Exceptions = Exception
    escalate_on: Exceptions = ()
    _policy: ChildPolicy = field(init=False, eq=False, repr=False)

    def __attrs_post_init__(self) -> None:
        of = f"AgentSpec {name('AgentSpec', self.id)!r}"
        policy = ChildPolicy(
            restart=self.restart,
            shutdown=self.shutdown,
            significant=self.significant,
            backoff=self.backoff,
            on_limit=self.on_limit,
            restart_on=exceptions(of, "restart_on", self.restart_on),
            escalate_on=exceptions(of, "escalate_on", self.escalate_on),
        )
        policy.check(of)
        object.__setattr__(self, "_policy", policy)

    @property
    def child_id(self) -> str:
        """The id it has in its supervisor."""
        return self.id

    @property
    def policy(self) -> ChildPolicy:
        """When to restart it, and how to stop it."""
        return self._policy
