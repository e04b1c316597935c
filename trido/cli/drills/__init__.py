"""Failure drills: one file each. See `kit` for what a drill is."""

from __future__ import annotations

from typing import Final

from trido.cli.drills import (
    crash,
    crash_storm,
    escalation,
    herd,
    hot_loop,
    kill_9,
    malformed_flood,
    poison,
    shutdown_under_load,
    storage_outage,
    upstream_outage,
)
from trido.cli.drills.kit import Drill

_ALL: Final = (
    crash,
    crash_storm,
    upstream_outage,
    malformed_flood,
    hot_loop,
    herd,
    escalation,
    poison,
    shutdown_under_load,
    storage_outage,
    kill_9,
)
DRILLS: Final[dict[str, Drill]] = {module.DRILL.name: module.DRILL for module in _ALL}
"""All there are, by their names."""
