"""What a replay has found, for a person and for a program. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import attrs

from trido.agents.secrets import redacted
from trido.cli.findings import Finding
from trido.runtime import Difference, Replayed

_SHOWN: Final = 20
"""How many differences a person is told of."""


def reported(file: str, name: str, replays: Sequence[Replayed[Any]]) -> Finding:
    """What came of it: 0 if all is as recorded, 1 if something is not."""
    differ = [one for one in replays if not one.is_same]
    json = {
        "file": file,
        "definition": name,
        "same": not differ,
        "agents": [_agent(one) for one in replays],
    }
    whom = f"{_number(len(replays), 'agent')} of {name!r}"
    if not differ:
        text = f"{file}: {whom} came out as recorded; {_turns(replays)}."
        return Finding(text=text, json=json)
    lines = [f"{file}: {len(differ):,} of {whom} came out differently; {_turns(replays)}."]
    found = [(one.agent, each) for one in differ for each in one.differences]
    lines += [f"agent {agent!r}, {each}" for agent, each in found[:_SHOWN]]
    if len(found) > _SHOWN:
        lines.append(f"and {len(found) - _SHOWN:,} more: --json lists all")
    return Finding(text="\n".join(lines), json=json, exit_code=1)


def _turns(replays: Sequence[Replayed[Any]]) -> str:
    decided, taken = sum(one.decided for one in replays), sum(one.taken for one in replays)
    return f"{_number(decided, 'turn')} decided again, {taken:,} taken as recorded"


def _number(number: int, what: str) -> str:
    return f"{number:,} {what}{'s' * (number != 1)}"


def _agent(one: Replayed[Any]) -> dict[str, Any]:
    return {
        "id": one.agent,
        "decided": one.decided,
        "taken": one.taken,
        "differences": [_difference(each) for each in one.differences],
    }


def _difference(one: Difference[Any]) -> dict[str, Any]:
    return {
        "revision": one.revision,
        "type": one.recorded.signal.type,
        "why": one.recorded.turn.why,
        "changed": [attrs.asdict(each) for each in one.changed],
        "error": None if one.error is None else redacted(one.error),
    }
