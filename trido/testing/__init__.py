"""Prove your own agents crash-proof: virtual time, seeded schedules, faults as data.

What is here needs nothing but trido, and the plugin for pytest comes with it. Hypothesis, which
strategies, the state machine and whatever draws need, comes with the extra ``testing``.
"""

from __future__ import annotations

from trido.testing.crash_points import CrashFailure as CrashFailure
from trido.testing.crash_points import CrashReport as CrashReport
from trido.testing.crash_points import TooManyPoints as TooManyPoints
from trido.testing.crash_points import every_crash_point as every_crash_point
from trido.testing.explain import explain as explain
from trido.testing.inject import Injection as Injection
from trido.testing.inject import inject as inject
from trido.testing.invariants import check as check
from trido.testing.invariants import no_task_left as no_task_left
from trido.testing.invariants import nothing_lost as nothing_lost
from trido.testing.invariants import nothing_twice as nothing_twice
from trido.testing.invariants import restart_within as restart_within
from trido.testing.invariants import siblings_untouched as siblings_untouched
from trido.testing.invariants import stops_within as stops_within
from trido.testing.invariants_fold import state_equals_fold as state_equals_fold
from trido.testing.judging import Invariant as Invariant
from trido.testing.judging import InvariantFailed as InvariantFailed
from trido.testing.plan import FaultPlan as FaultPlan
from trido.testing.plan_errors import InjectedCrash as InjectedCrash
from trido.testing.plan_errors import NotOver as NotOver
from trido.testing.plan_errors import NotReached as NotReached
from trido.testing.plan_errors import NotReproducible as NotReproducible
from trido.testing.plan_errors import PlanSyntaxError as PlanSyntaxError
from trido.testing.plan_errors import UnknownPoint as UnknownPoint
from trido.testing.plan_faults import ClockFault as ClockFault
from trido.testing.plan_faults import CodeFault as CodeFault
from trido.testing.plan_faults import Fault as Fault
from trido.testing.plan_faults import LoopFault as LoopFault
from trido.testing.plan_faults import SignalFault as SignalFault
from trido.testing.plan_faults import StorageFault as StorageFault
from trido.testing.plan_points import AnyOf as AnyOf
from trido.testing.plan_points import Await as Await
from trido.testing.plan_points import DirectiveOf as DirectiveOf
from trido.testing.plan_points import Point as Point
from trido.testing.plan_points import Received as Received
from trido.testing.plan_points import Start as Start
from trido.testing.plan_points import Stop as Stop
from trido.testing.plan_points import Time as Time
from trido.testing.plan_points import Turn as Turn
from trido.testing.purity import assert_pure as assert_pure
from trido.testing.purity_replay import assert_replays as assert_replays
from trido.testing.recorder import Recorder as Recorder
from trido.testing.schedule import run as run
from trido.testing.schedule import run_seeds as run_seeds
from trido.testing.simulation import Rates as Rates
from trido.testing.simulation import simulate as simulate
from trido.testing.simulation_report import AgentReport as AgentReport
from trido.testing.simulation_report import Recovery as Recovery
from trido.testing.simulation_report import SimulationReport as SimulationReport
