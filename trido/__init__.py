"""Agents that self-heal, on Trio.

Every public name is here. Supervision is imported with this. Agents, their journal and their
runtime are when the first of their names is used: whoever wants a nursery that restarts does not
wait for them.
"""

from __future__ import annotations

import sys
from importlib import import_module
from typing import TYPE_CHECKING

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

if TYPE_CHECKING:
    from trido.agents import Action as Action
    from trido.agents import ActionTimeout as ActionTimeout
    from trido.agents import Address as Address
    from trido.agents import AdoptChild as AdoptChild
    from trido.agents import AgentError as AgentError
    from trido.agents import AsyncAction as AsyncAction
    from trido.agents import Breaker as Breaker
    from trido.agents import BreakerOpen as BreakerOpen
    from trido.agents import Cancel as Cancel
    from trido.agents import ChildExit as ChildExit
    from trido.agents import ChildStarted as ChildStarted
    from trido.agents import CodecError as CodecError
    from trido.agents import CompensationFailed as CompensationFailed
    from trido.agents import Cron as Cron
    from trido.agents import CronTable as CronTable
    from trido.agents import Decision as Decision
    from trido.agents import DeferReply as DeferReply
    from trido.agents import Demonitor as Demonitor
    from trido.agents import Directive as Directive
    from trido.agents import Down as Down
    from trido.agents import EffectfulRoute as EffectfulRoute
    from trido.agents import Emit as Emit
    from trido.agents import Hibernate as Hibernate
    from trido.agents import InvalidData as InvalidData
    from trido.agents import InvalidDecision as InvalidDecision
    from trido.agents import InvalidResult as InvalidResult
    from trido.agents import InvalidSignal as InvalidSignal
    from trido.agents import Limit as Limit
    from trido.agents import Link as Link
    from trido.agents import Monitor as Monitor
    from trido.agents import NewerVersion as NewerVersion
    from trido.agents import NoRoute as NoRoute
    from trido.agents import Orphaned as Orphaned
    from trido.agents import PlainAction as PlainAction
    from trido.agents import Rate as Rate
    from trido.agents import Reject as Reject
    from trido.agents import Reply as Reply
    from trido.agents import Request as Request
    from trido.agents import Retry as Retry
    from trido.agents import Run as Run
    from trido.agents import RunFailed as RunFailed
    from trido.agents import Schedule as Schedule
    from trido.agents import Signal as Signal
    from trido.agents import SpawnAgent as SpawnAgent
    from trido.agents import StepFailed as StepFailed
    from trido.agents import Stop as Stop
    from trido.agents import StopChild as StopChild
    from trido.agents import Turn as Turn
    from trido.agents import Undecodable as Undecodable
    from trido.agents import Unencodable as Unencodable
    from trido.agents import Unregistered as Unregistered
    from trido.agents import Via as Via
    from trido.agents import WorkerDied as WorkerDied
    from trido.agents import freeze as freeze
    from trido.agents import redacted as redacted
    from trido.agents import secret as secret
    from trido.agents import sequence as sequence
    from trido.agents.action import action as action  # mypy: not the module of that name
    from trido.journal import Corrupt as Corrupt
    from trido.journal import Fenced as Fenced
    from trido.journal import Journal as Journal
    from trido.journal import JournalError as JournalError
    from trido.journal import Locked as Locked
    from trido.journal import MemoryJournal as MemoryJournal
    from trido.journal import NotKept as NotKept
    from trido.journal import SqliteJournal as SqliteJournal
    from trido.journal import TooNew as TooNew
    from trido.journal import Unavailable as Unavailable
    from trido.runtime import Agent as Agent
    from trido.runtime import AgentCrashed as AgentCrashed
    from trido.runtime import AgentParked as AgentParked
    from trido.runtime import AgentRef as AgentRef
    from trido.runtime import AgentSpec as AgentSpec
    from trido.runtime import AgentStatus as AgentStatus
    from trido.runtime import AgentStopped as AgentStopped
    from trido.runtime import AlreadyRegistered as AlreadyRegistered
    from trido.runtime import AnswerNotKept as AnswerNotKept
    from trido.runtime import Blocked as Blocked
    from trido.runtime import DeadLetter as DeadLetter
    from trido.runtime import DeadLetters as DeadLetters
    from trido.runtime import Delivery as Delivery
    from trido.runtime import Difference as Difference
    from trido.runtime import DirectiveFailed as DirectiveFailed
    from trido.runtime import DirectiveUnknown as DirectiveUnknown
    from trido.runtime import Executor as Executor
    from trido.runtime import GivenUp as GivenUp
    from trido.runtime import Health as Health
    from trido.runtime import History as History
    from trido.runtime import IntakeClosed as IntakeClosed
    from trido.runtime import LimitStatistics as LimitStatistics
    from trido.runtime import LinkedExit as LinkedExit
    from trido.runtime import MaxErrors as MaxErrors
    from trido.runtime import Meters as Meters
    from trido.runtime import MetersStatistics as MetersStatistics
    from trido.runtime import MonitorHandle as MonitorHandle
    from trido.runtime import NoSuchAgent as NoSuchAgent
    from trido.runtime import NoSuchChild as NoSuchChild
    from trido.runtime import OutcomeUnknown as OutcomeUnknown
    from trido.runtime import Overloaded as Overloaded
    from trido.runtime import PastDirective as PastDirective
    from trido.runtime import PastTurn as PastTurn
    from trido.runtime import Replayed as Replayed
    from trido.runtime import Runtime as Runtime
    from trido.runtime import Subscription as Subscription
    from trido.runtime import SubscriptionStatistics as SubscriptionStatistics
    from trido.runtime import TurnExpired as TurnExpired
    from trido.runtime import WatchdogSpec as WatchdogSpec
    from trido.runtime import max_errors as max_errors
    from trido.runtime import open_history as open_history
    from trido.runtime import open_runtime as open_runtime
    from trido.runtime import run_action as run_action
else:

    def __getattr__(name: str) -> object:
        """A name of agents, the first that is used: it brings them all."""
        if name not in __all__:
            said = f"module {__name__!r} has no attribute {name!r}"
            raise AttributeError(said, name=name, obj=sys.modules[__name__])
        later = [one for one in __all__ if one not in globals()]
        for room in map(import_module, ("trido.agents", "trido.journal", "trido.runtime")):
            globals().update((one, getattr(room, one)) for one in later if hasattr(room, one))
        return globals()[name]

    def __dir__() -> list[str]:
        return sorted({*globals(), *__all__})


__all__ = [
    "BRUTAL_KILL",
    "Action",
    "ActionTimeout",
    "Address",
    "AdoptChild",
    "Agent",
    "AgentCrashed",
    "AgentError",
    "AgentParked",
    "AgentRef",
    "AgentSpec",
    "AgentStatus",
    "AgentStopped",
    "AlreadyRegistered",
    "AnswerNotKept",
    "AsyncAction",
    "Backoff",
    "Blocked",
    "Breaker",
    "BreakerOpen",
    "Cancel",
    "Child",
    "ChildAlreadyPresent",
    "ChildAlreadyStarted",
    "ChildExit",
    "ChildInfo",
    "ChildNotFound",
    "ChildRestarting",
    "ChildRunning",
    "ChildSpec",
    "ChildStarted",
    "CodecError",
    "CompensationFailed",
    "Corrupt",
    "Counts",
    "Cron",
    "CronTable",
    "DeadLetter",
    "DeadLetters",
    "DeadlockError",
    "Decision",
    "DeferReply",
    "Delivery",
    "Demonitor",
    "Difference",
    "Directive",
    "DirectiveFailed",
    "DirectiveUnknown",
    "Down",
    "DuplicateChild",
    "DynamicSupervisor",
    "DynamicSupervisorSpec",
    "EffectfulRoute",
    "Emit",
    "Escalate",
    "Executor",
    "Fenced",
    "GivenUp",
    "Health",
    "Hibernate",
    "History",
    "Ignore",
    "IntakeClosed",
    "InvalidData",
    "InvalidDecision",
    "InvalidResult",
    "InvalidSignal",
    "Journal",
    "JournalError",
    "LeakedCancelled",
    "Limit",
    "LimitStatistics",
    "Link",
    "LinkedExit",
    "Locked",
    "MaxChildren",
    "MaxErrors",
    "MemoryJournal",
    "Meters",
    "MetersStatistics",
    "Monitor",
    "MonitorHandle",
    "NewerVersion",
    "NoRoute",
    "NoSuchAgent",
    "NoSuchChild",
    "NotKept",
    "NotStarted",
    "Orphaned",
    "OutcomeUnknown",
    "Overloaded",
    "PastDirective",
    "PastTurn",
    "PlainAction",
    "Plan",
    "Rate",
    "Reject",
    "Replayed",
    "Reply",
    "Request",
    "RestartLimitExceeded",
    "Retry",
    "Run",
    "RunFailed",
    "Runtime",
    "Schedule",
    "Shutdown",
    "Signal",
    "SpawnAgent",
    "Spec",
    "SpecError",
    "SqliteJournal",
    "StartFailed",
    "StartTimeout",
    "StepFailed",
    "Stop",
    "StopChild",
    "Subscription",
    "SubscriptionStatistics",
    "Supervisor",
    "SupervisorSpec",
    "SupervisorStatistics",
    "SupervisorStopped",
    "TooNew",
    "TridoError",
    "Turn",
    "TurnExpired",
    "Unavailable",
    "Undecodable",
    "Unencodable",
    "Unregistered",
    "Unresponsive",
    "Via",
    "WatchdogSpec",
    "WorkerDied",
    "action",
    "as_place",
    "cleanup",
    "current_child",
    "events",
    "explain",
    "freeze",
    "max_errors",
    "open_dynamic_supervisor",
    "open_history",
    "open_runtime",
    "open_supervisor",
    "redacted",
    "run",
    "run_action",
    "secret",
    "sequence",
    "supervise",
]
