"""Timers, as a journal keeps them."""

from __future__ import annotations

from typing import Any, Final

from trido.agents.codec.coder import made
from trido.agents.codec.errors import Misfit
from trido.agents.codec.text import members, read, write
from trido.agents.codec.times import micros, moment_of
from trido.agents.codec.vocabulary import SIGNAL, Vocabulary
from trido.agents.kept import KeptTimer
from trido.agents.timing import Cron, Schedule

_TIMER: Final = SIGNAL | {"after", "cron"}
_CRON: Final = frozenset({"expr", "timezone", "catch_up", "catch_up_limit", "last"})


def dump_timer(timer: KeptTimer, vocabulary: Vocabulary) -> bytes:
    """What the row of a timer says besides its key and when it is due. Raises `Misfit`."""
    directive = timer.directive
    said = vocabulary.dump(directive.signal)
    if isinstance(directive, Schedule):
        return write({**said, "after": directive.after})
    cron = {
        "expr": directive.expr,
        "timezone": directive.timezone,
        "catch_up": directive.catch_up,
        "catch_up_limit": directive.catch_up_limit,
    }
    if timer.last is not None:
        cron["last"] = micros(timer.last)
    return write({**said, "cron": cron})


def load_timer(row: str, due: int, data: bytes, vocabulary: Vocabulary) -> KeptTimer:
    """The timer of a row.

    Raises:
      Misfit: it is none.
      NewerVersion, Undecodable: the data of its signal cannot be upgraded.
    """
    said = members(read(data), _TIMER)
    signal = vocabulary.load(said)
    mark, name = row[:1], row[1:]
    if mark != "=" and (mark != "#" or "cron" in said):
        raise Misfit("expected the row of a timer to be called after its key")
    if "cron" not in said:
        key = name if mark == "=" else None
        build = lambda after: Schedule(after, signal, key=key)  # noqa: E731
        directive: Any = made("Schedule", build, said.get("after"))
        return KeptTimer(directive, name, moment_of(due))
    cron = dict(members(said["cron"], _CRON))
    last = moment_of(cron.pop("last")) if "last" in cron else None
    directive = made("Cron", lambda cron: Cron(signal=signal, key=name, **cron), cron)
    return KeptTimer(directive, name, moment_of(due), last=last)
