"""Agents that self-heal, on Trio.

Every public name is here.
"""

from __future__ import annotations

from trido.agents import AgentError as AgentError
from trido.agents import Decision as Decision
from trido.agents import Directive as Directive
from trido.agents import Emit as Emit
from trido.agents import InvalidData as InvalidData
from trido.agents import InvalidDecision as InvalidDecision
from trido.agents import InvalidSignal as InvalidSignal
from trido.agents import NoRoute as NoRoute
from trido.agents import Reject as Reject
from trido.agents import Reply as Reply
from trido.agents import Request as Request
from trido.agents import Signal as Signal
from trido.agents import Stop as Stop
from trido.agents import Turn as Turn
from trido.agents import redacted as redacted
from trido.agents import secret as secret
from trido.runtime import Agent as Agent
from trido.runtime import AgentCrashed as AgentCrashed
from trido.runtime import AgentParked as AgentParked
from trido.runtime import AgentRef as AgentRef
from trido.runtime import AgentSpec as AgentSpec
from trido.runtime import AgentStatus as AgentStatus
from trido.runtime import AgentStopped as AgentStopped
from trido.runtime import DeadLetter as DeadLetter
from trido.runtime import DeadLetters as DeadLetters
from trido.runtime import NoSuchAgent as NoSuchAgent
from trido.runtime import Overloaded as Overloaded
from trido.supervision import BRUTAL_KILL as BRUTAL_KILL
from trido.supervision import Backoff as Backoff
from trido.supervision import Child as Child
from trido.supervision import ChildAlreadyPresent as ChildAlreadyPresent
from trido.supervision import ChildAlreadyStarted as ChildAlreadyStarted
from trido.supervision import ChildInfo as ChildInfo
from trido.supervision import ChildNotFound as ChildNotFound
from trido.supervision import ChildRestarting as ChildRestarting
from trido.supervision import ChildRunning as ChildRunning
from trido.supervision import ChildSpec as ChildSpec
from trido.supervision import Counts as Counts
from trido.supervision import DeadlockError as DeadlockError
from trido.supervision import DuplicateChild as DuplicateChild
from trido.supervision import DynamicSupervisor as DynamicSupervisor
from trido.supervision import DynamicSupervisorSpec as DynamicSupervisorSpec
from trido.supervision import Escalate as Escalate
from trido.supervision import Ignore as Ignore
from trido.supervision import LeakedCancelled as LeakedCancelled
from trido.supervision import MaxChildren as MaxChildren
from trido.supervision import NotStarted as NotStarted
from trido.supervision import Plan as Plan
from trido.supervision import RestartLimitExceeded as RestartLimitExceeded
from trido.supervision import Shutdown as Shutdown
from trido.supervision import Spec as Spec
from trido.supervision import SpecError as SpecError
from trido.supervision import StartFailed as StartFailed
from trido.supervision import StartTimeout as StartTimeout
from trido.supervision import Supervisor as Supervisor
from trido.supervision import SupervisorSpec as SupervisorSpec
from trido.supervision import SupervisorStatistics as SupervisorStatistics
from trido.supervision import SupervisorStopped as SupervisorStopped
from trido.supervision import TridoError as TridoError
from trido.supervision import Unresponsive as Unresponsive
from trido.supervision import as_place as as_place
from trido.supervision import cleanup as cleanup
from trido.supervision import current_child as current_child
from trido.supervision import events as events
from trido.supervision import explain as explain
from trido.supervision import open_dynamic_supervisor as open_dynamic_supervisor
from trido.supervision import open_supervisor as open_supervisor
from trido.supervision import run as run
from trido.supervision import supervise as supervise

__all__ = [
    "BRUTAL_KILL",
    "Agent",
    "AgentCrashed",
    "AgentError",
    "AgentParked",
    "AgentRef",
    "AgentSpec",
    "AgentStatus",
    "AgentStopped",
    "Backoff",
    "Child",
    "ChildAlreadyPresent",
    "ChildAlreadyStarted",
    "ChildInfo",
    "ChildNotFound",
    "ChildRestarting",
    "ChildRunning",
    "ChildSpec",
    "Counts",
    "DeadLetter",
    "DeadLetters",
    "DeadlockError",
    "Decision",
    "Directive",
    "DuplicateChild",
    "DynamicSupervisor",
    "DynamicSupervisorSpec",
    "Emit",
    "Escalate",
    "Ignore",
    "InvalidData",
    "InvalidDecision",
    "InvalidSignal",
    "LeakedCancelled",
    "MaxChildren",
    "NoRoute",
    "NoSuchAgent",
    "NotStarted",
    "Overloaded",
    "Plan",
    "Reject",
    "Reply",
    "Request",
    "RestartLimitExceeded",
    "Shutdown",
    "Signal",
    "Spec",
    "SpecError",
    "StartFailed",
    "StartTimeout",
    "Stop",
    "Supervisor",
    "SupervisorSpec",
    "SupervisorStatistics",
    "SupervisorStopped",
    "TridoError",
    "Turn",
    "Unresponsive",
    "as_place",
    "cleanup",
    "current_child",
    "events",
    "explain",
    "open_dynamic_supervisor",
    "open_supervisor",
    "redacted",
    "run",
    "secret",
    "supervise",
]
