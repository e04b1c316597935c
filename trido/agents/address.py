"""Addresses: where a signal can be sent."""

from __future__ import annotations

from abc import abstractmethod
from typing import final

from attrs import frozen

from trido.checks import text


# No ABC: each `Emit` asks whether it is sent to one, and of an ABC that takes long.
class Address:
    """Where a signal can be sent: the ref of an agent, or what one is once it was written.

    A state that is kept in a journal declares the refs in it as this.
    """

    __slots__ = ()

    @property
    @abstractmethod
    def id(self) -> str:
        """Whom it names."""


@final
@frozen(repr=False)
class AgentId(Address):
    """The address of the agent with this id, whoever runs it: what a ref is once it was written."""

    _id: str

    def __attrs_post_init__(self) -> None:
        text("AgentId", "id", self._id)

    def __repr__(self) -> str:
        return f"AgentId({self._id!r})"

    @property
    def id(self) -> str:
        """Whom it names."""
        return self._id
