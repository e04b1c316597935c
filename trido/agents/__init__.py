"""Agents as values: a signal comes in, a decision comes out. Pure: nothing here runs anything."""

from __future__ import annotations

from trido.agents.definition import Definition as Definition
from trido.agents.directive import Address as Address
from trido.agents.directive import Directive as Directive
from trido.agents.directive import Emit as Emit
from trido.agents.directive import Reply as Reply
from trido.agents.directive import Stop as Stop
from trido.agents.errors import AgentError as AgentError
from trido.agents.errors import InvalidData as InvalidData
from trido.agents.errors import InvalidDecision as InvalidDecision
from trido.agents.errors import InvalidSignal as InvalidSignal
from trido.agents.errors import NoRoute as NoRoute
from trido.agents.errors import Reject as Reject
from trido.agents.handlers import Decision as Decision
from trido.agents.handlers import Handler as Handler
from trido.agents.handlers import TurnHandler as TurnHandler
from trido.agents.secrets import redacted as redacted
from trido.agents.secrets import secret as secret
from trido.agents.signal import Request as Request
from trido.agents.signal import Signal as Signal
from trido.agents.turn import Turn as Turn
