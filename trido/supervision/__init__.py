"""Supervise any async function: Erlang/OTP's supervisor as a nursery wrapper.

This package knows nothing of agents. Somebody who only wants a nursery that restarts finds all of
it here, and again in `trido` itself.
"""

from __future__ import annotations

from trido.errors import SpecError as SpecError
from trido.errors import TridoError as TridoError
from trido.supervision import events as events
from trido.supervision import incarnation as _incarnation  # noqa: F401  # teaches as_place
from trido.supervision import nested as _nested  # noqa: F401  # teaches as_place
from trido.supervision.block import open_dynamic_supervisor as open_dynamic_supervisor
from trido.supervision.block import open_supervisor as open_supervisor
from trido.supervision.block import supervise as supervise
from trido.supervision.child import Child as Child
from trido.supervision.child import ChildInfo as ChildInfo
from trido.supervision.current import cleanup as cleanup
from trido.supervision.current import current_child as current_child
from trido.supervision.errors import ChildAlreadyPresent as ChildAlreadyPresent
from trido.supervision.errors import ChildAlreadyStarted as ChildAlreadyStarted
from trido.supervision.errors import ChildNotFound as ChildNotFound
from trido.supervision.errors import ChildRestarting as ChildRestarting
from trido.supervision.errors import ChildRunning as ChildRunning
from trido.supervision.errors import DeadlockError as DeadlockError
from trido.supervision.errors import DuplicateChild as DuplicateChild
from trido.supervision.errors import Escalate as Escalate
from trido.supervision.errors import Ignore as Ignore
from trido.supervision.errors import LeakedCancelled as LeakedCancelled
from trido.supervision.errors import MaxChildren as MaxChildren
from trido.supervision.errors import NotStarted as NotStarted
from trido.supervision.errors import RestartLimitExceeded as RestartLimitExceeded
from trido.supervision.errors import Shutdown as Shutdown
from trido.supervision.errors import StartFailed as StartFailed
from trido.supervision.errors import StartTimeout as StartTimeout
from trido.supervision.errors import SupervisorStopped as SupervisorStopped
from trido.supervision.errors import Unresponsive as Unresponsive
from trido.supervision.explain import Plan as Plan
from trido.supervision.explain import explain as explain
from trido.supervision.place import as_place as as_place
from trido.supervision.policy import BRUTAL_KILL as BRUTAL_KILL
from trido.supervision.policy import Backoff as Backoff
from trido.supervision.signals import run as run
from trido.supervision.spec import ChildSpec as ChildSpec
from trido.supervision.spec import DynamicSupervisorSpec as DynamicSupervisorSpec
from trido.supervision.spec import Spec as Spec
from trido.supervision.spec import SupervisorSpec as SupervisorSpec
from trido.supervision.statistics import Counts as Counts
from trido.supervision.statistics import SupervisorStatistics as SupervisorStatistics
from trido.supervision.supervisor import DynamicSupervisor as DynamicSupervisor
from trido.supervision.supervisor import Supervisor as Supervisor
