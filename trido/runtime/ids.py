"""New ids: UUIDv7, so that they sort by time."""

from __future__ import annotations

import uuid_utils


def new_id() -> str:
    """An id that nothing else has."""
    return str(uuid_utils.uuid7())
