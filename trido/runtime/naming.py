"""What a journal calls an agent, and what a runtime does. Pure."""

from __future__ import annotations

from trido.journal.rows import AgentKey
from trido.runtime.partition import id_in, parted


def key_of(id: str) -> AgentKey:
    """How a journal names the agent with this id."""
    partition, local = parted(id)
    return AgentKey(local, partition)


def id_of(key: AgentKey) -> str:
    """The id of the agent that a journal names so."""
    return id_in(key.partition, key.id)
