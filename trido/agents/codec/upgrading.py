"""What becomes of data of another version than is written now."""

from __future__ import annotations

from pathlib import Path
from traceback import walk_tb
from typing import Any

from trido.agents.codec.errors import Undecodable, newer
from trido.agents.versions import Version


def check_known(what: str, version: Version, found: int) -> None:
    """Raise unless data of the version ``found`` can be read.

    Raises:
      NewerVersion: it is newer than ``version``.
      Undecodable: it is older than all that can be upgraded.
    """
    if found > version.number:
        raise newer(what, found, version.number)
    if found < version.oldest:
        rule = f"it has version {found}, and no upgrade leads from there: give upgrades={{{found}:"
        raise Undecodable(what, "$", f"{rule} ...}}")


def upgrade(what: str, version: Version, data: Any, found: int) -> Any:
    """Plain data of the version ``found`` as that of ``version``.

    Raises:
      Undecodable: an upgrade raised; its error is the cause.
    """
    try:
        return version.upgrade(data, found)
    except Exception as error:
        rule = f"an upgrade from version {found} on raised {type(error).__name__}"
        raise Undecodable(what, "$", f"{rule}, at {_place_of(error)}") from error


def _place_of(error: Exception) -> str:
    """Where it was raised: its text may be what was found, which is never shown."""
    *_, (frame, line) = walk_tb(error.__traceback__)
    return f"{Path(frame.f_code.co_filename).name}:{line}"
