"""New ids: UUIDv7, so that they sort by time."""

from __future__ import annotations


def new_id() -> str:
    """An id that nothing else has."""
    from uuid_utils import uuid7  # noqa: PLC0415  # whoever needs none does not pay for it

    return str(uuid7())
