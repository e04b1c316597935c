"""Agents as children of supervisors: mailboxes, refs, and the loop that serves signals."""

from __future__ import annotations

from trido.runtime import place as _place  # noqa: F401  # teaches as_place
from trido.runtime.agent import Agent as Agent
from trido.runtime.dead_letters import DeadLetter as DeadLetter
from trido.runtime.dead_letters import DeadLetters as DeadLetters
from trido.runtime.errors import AgentCrashed as AgentCrashed
from trido.runtime.errors import AgentParked as AgentParked
from trido.runtime.errors import AgentStopped as AgentStopped
from trido.runtime.errors import NoSuchAgent as NoSuchAgent
from trido.runtime.errors import Overloaded as Overloaded
from trido.runtime.ref import AgentRef as AgentRef
from trido.runtime.ref import AgentStatus as AgentStatus
from trido.runtime.spec import AgentSpec as AgentSpec
