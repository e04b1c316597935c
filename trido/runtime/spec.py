"""An agent as a child of a supervisor, as data."""

from __future__ import annotations

import math
from functools import lru_cache
from operator import attrgetter, is_
from typing import TYPE_CHECKING, Any, Final, Generic, TypedDict, TypeVar, final

from attrs import evolve, field, fields, frozen

from trido.agents.directive import PARENT
from trido.checks import exceptions, name, seconds
from trido.errors import SpecError
from trido.runtime.partition import check_id
from trido.runtime.ref import AgentRef
from trido.runtime.settings import Settings
from trido.supervision import Backoff, Spec
from trido.supervision.policy import ChildPolicy, Exceptions, Grace, OnLimit, Restart

if TYPE_CHECKING:
    from trido.runtime.agent import Agent
    from trido.runtime.family import Kin
    from trido.runtime.runtime import Runtime
    from trido.runtime.woken import Woken

S = TypeVar("S")


class PolicyOptions(TypedDict, total=False):
    """When to restart an agent and how to stop it, as keyword arguments."""

    restart: Restart
    shutdown: Grace
    significant: bool
    start_timeout: float
    kill_timeout: float
    backoff: Backoff | None
    on_limit: OnLimit
    restart_on: Exceptions
    escalate_on: Exceptions


@final
@frozen(kw_only=True, eq=False, repr=False)
class AgentSpec(Spec[AgentRef[S]], Generic[S]):
    """Run an agent, and restart it by these rules. Made by `Agent.spec`.

    Raises:
      SpecError: a field is not what it may be.
    """

    agent: Agent[S]
    id: str
    settings: Settings
    runtime: Runtime | None = None
    restart: Restart = "transient"
    shutdown: Grace = 5.0
    significant: bool = False
    start_timeout: float = math.inf
    kill_timeout: float = 5.0
    backoff: Backoff | None = None
    on_limit: OnLimit = "escalate"
    restart_on: Exceptions = Exception
    escalate_on: Exceptions = ()
    kin: Kin | None = field(default=None, eq=False, repr=False)
    """Whose child it is."""
    woken: Woken | None = field(default=None, eq=False, repr=False)
    """How it stands, if its runtime has woken it."""
    _policy: ChildPolicy = field(init=False, eq=False, repr=False)

    def __attrs_post_init__(self) -> None:
        of = f"AgentSpec {name('AgentSpec', self.id)!r}"
        if self.id == PARENT:
            raise SpecError("id", self.id, "another: Emit(to='parent') means the parent", of=of)
        check_id(of, self.id)
        if self.runtime is not None and not hasattr(self.runtime, "env"):
            raise SpecError("runtime", self.runtime, "what trido.open_runtime gives", of=of)
        terms, known = _TERMS(self), self.agent.known_terms
        if known is not None and all(map(is_, terms, known[0])):
            policy = known[1]
        else:
            policy = self._check_terms(of)
            if self.settings.durability == "none":  # else it takes more than to have the same
                self.agent.known_terms = terms, policy
        object.__setattr__(self, "_policy", policy)

    def _check_terms(self, of: str) -> ChildPolicy:
        """The policy that goes with how it is to be run."""
        if self.restart == "permanent" and self.settings.idle_timeout < math.inf:
            allowed = "another: a permanent child never ends, and so never sleeps (idle_timeout=)"
            raise SpecError("restart", self.restart, allowed, of=of)
        if self.settings.durability != "none":
            self._check_durability(of)
        seconds(of, "kill_timeout", self.kill_timeout)
        try:
            return _policy(**{name: getattr(self, name) for name in _FIELDS})
        except SpecError as error:
            raise SpecError(error.field, error.value, error.allowed, of=of) from None

    def _check_durability(self, of: str) -> None:
        durability = self.settings.durability
        if self.runtime is None:
            allowed = "'none' without a runtime: give spec(runtime=...), or use rt.start_agent()"
            raise SpecError("durability", durability, allowed, of=of)
        codec = self.runtime.env.codec
        if codec is None:
            allowed = "'none' without a journal: give open_runtime(journal=...)"
            raise SpecError("durability", durability, allowed, of=of)
        codec.learn(self.agent)
        codec.state(self.agent)  # raises if it could not be written, or not be read again
        # What is durable is what was committed: there is nothing else to go on with.
        object.__setattr__(self, "settings", evolve(self.settings, recover="committed"))

    @property
    def child_id(self) -> str:
        """The id it has in its supervisor."""
        return self.id

    @property
    def policy(self) -> ChildPolicy:
        """When to restart it, and how to stop it."""
        return self._policy


def _policy(**fields: Any) -> ChildPolicy:
    """The policy that these fields say: one object for all the agents that have the same."""
    try:
        return _known_policy(**fields)
    except TypeError:  # what cannot be hashed is wrong, as the check will say
        return _new_policy(**fields)


def _new_policy(*, restart_on: Exceptions, escalate_on: Exceptions, **fields: Any) -> ChildPolicy:
    policy = ChildPolicy(
        restart_on=exceptions("AgentSpec", "restart_on", restart_on),
        escalate_on=exceptions("AgentSpec", "escalate_on", escalate_on),
        **fields,
    )
    policy.check("AgentSpec")
    return policy


_known_policy: Final = lru_cache(maxsize=256, typed=True)(_new_policy)
_FIELDS: Final = tuple(one.name for one in fields(ChildPolicy) if one.name != "kind")
_TERMS: Final = attrgetter("settings", "kill_timeout", *_FIELDS)
"""What is checked once for all the agents of a definition that have the same."""
