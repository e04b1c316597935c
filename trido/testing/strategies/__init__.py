"""Hypothesis strategies of trido's things: they need the extra ``trido[testing]``."""

from trido.testing.strategies.plans import fault_plans as fault_plans
from trido.testing.strategies.plans import find_plan as find_plan
from trido.testing.strategies.signals import WrongSignal as WrongSignal
from trido.testing.strategies.signals import signals as signals
from trido.testing.strategies.signals import states as states
from trido.testing.strategies.signals import turns as turns
from trido.testing.strategies.signals import wrong_signals as wrong_signals
from trido.testing.strategies.trees import child_specs as child_specs
from trido.testing.strategies.trees import supervisor_trees as supervisor_trees
from trido.testing.strategies.values import values as values

__all__ = [
    "WrongSignal",
    "child_specs",
    "fault_plans",
    "find_plan",
    "signals",
    "states",
    "supervisor_trees",
    "turns",
    "values",
    "wrong_signals",
]
