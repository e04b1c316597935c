"""Agents as children of supervisors: mailboxes, refs, and the loop that serves signals."""

from __future__ import annotations

from trido.runtime import place as _place  # noqa: F401  # teaches as_place
from trido.runtime.actions import run_action as run_action
from trido.runtime.agent import Agent as Agent
from trido.runtime.dead_letters import DeadLetter as DeadLetter
from trido.runtime.dead_letters import DeadLetters as DeadLetters
from trido.runtime.errors import AgentCrashed as AgentCrashed
from trido.runtime.errors import AgentParked as AgentParked
from trido.runtime.errors import AgentStopped as AgentStopped
from trido.runtime.errors import AlreadyRegistered as AlreadyRegistered
from trido.runtime.errors import AnswerNotKept as AnswerNotKept
from trido.runtime.errors import DirectiveFailed as DirectiveFailed
from trido.runtime.errors import GivenUp as GivenUp
from trido.runtime.errors import IntakeClosed as IntakeClosed
from trido.runtime.errors import LinkedExit as LinkedExit
from trido.runtime.errors import NoSuchAgent as NoSuchAgent
from trido.runtime.errors import NoSuchChild as NoSuchChild
from trido.runtime.errors import OutcomeUnknown as OutcomeUnknown
from trido.runtime.errors import Overloaded as Overloaded
from trido.runtime.errors import TurnExpired as TurnExpired
from trido.runtime.executors import Delivery as Delivery
from trido.runtime.executors import Executor as Executor
from trido.runtime.history import History as History
from trido.runtime.history import open_history as open_history
from trido.runtime.meters import LimitStatistics as LimitStatistics
from trido.runtime.meters import Meters as Meters
from trido.runtime.meters import MetersStatistics as MetersStatistics
from trido.runtime.monitors import MonitorHandle as MonitorHandle
from trido.runtime.opening import open_runtime as open_runtime
from trido.runtime.past import Difference as Difference
from trido.runtime.past import PastDirective as PastDirective
from trido.runtime.past import PastTurn as PastTurn
from trido.runtime.past import Replayed as Replayed
from trido.runtime.ref import AgentRef as AgentRef
from trido.runtime.ref import AgentStatus as AgentStatus
from trido.runtime.runtime import Health as Health
from trido.runtime.runtime import Runtime as Runtime
from trido.runtime.settings import MaxErrors as MaxErrors
from trido.runtime.settings import max_errors as max_errors
from trido.runtime.spec import AgentSpec as AgentSpec
from trido.runtime.standing import DirectiveUnknown as DirectiveUnknown
from trido.runtime.subscription import Subscription as Subscription
from trido.runtime.subscription import SubscriptionStatistics as SubscriptionStatistics
from trido.runtime.watchdog import Blocked as Blocked
from trido.runtime.watchdog import WatchdogSpec as WatchdogSpec
