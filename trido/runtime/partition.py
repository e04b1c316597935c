"""Partitions: ids that mean somebody else to each tenant. Pure.

An agent of a partition has an id that says so: ``//acme/user/7`` is ``user/7`` of ``acme``. It is
unlike any other id in the runtime, so all that goes by ids (the registry, the journal, what a
signal's source says, the ids of directives) tells partitions apart. Within a partition the short
form will do, and only those of the same partition are found by it.
"""

from __future__ import annotations

import re
from typing import Final

from trido.checks import is_utf8
from trido.errors import SpecError

_ID: Final = re.compile(r"//([^/]+)/(.+)", re.DOTALL)
_MARK: Final = "//"


def check_id(of: str, id: str) -> None:
    """Raise `SpecError` if ``id`` names a partition, and no agent in it, or is no source."""
    if not is_utf8(id):
        raise SpecError("id", id, "text that UTF-8 can encode", of=of)
    if id.startswith(_MARK) and _ID.fullmatch(id) is None:
        raise SpecError("id", id, "without // in front, or '//partition/id'", of=of)


def check_partition(of: str, partition: object) -> None:
    """Raise `SpecError` if this is no partition."""
    if not isinstance(partition, str) or "/" in partition:
        raise SpecError("partition", partition, "a string without '/'", of=of)


def parted(id: str) -> tuple[str, str]:
    """The partition of an id, and what the agent is called in it."""
    found = _ID.fullmatch(id) if id.startswith(_MARK) else None
    return ("", id) if found is None else (found[1], found[2])


def partition_of(id: str) -> str:
    """The partition of an id: that of all who are in none is ``""``."""
    return parted(id)[0] if id.startswith(_MARK) else ""


def id_in(partition: str, id: str) -> str:
    """The id of who is called so in a partition. What is an id of it already is left as it is."""
    if not partition or id.startswith(f"{_MARK}{partition}/"):
        return id
    return f"{_MARK}{partition}/{id}"


def named_by(id: str, name: str) -> str:
    """Whom the agent with this id means by a name: somebody in its own partition."""
    partition = partition_of(id)
    if partition:
        return id_in(partition, name)
    return name if not name.startswith(_MARK) else ""


def keyed(name: str, key: str) -> str:
    """What the agent of a definition is called that has this key."""
    return f"{name}/{key}"
