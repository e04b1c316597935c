"""What an operator says became of a directive that was given up, or whose outcome is unknown."""

from __future__ import annotations

import re
from typing import Any, Final

import trio

from trido.errors import SpecError
from trido.journal.operations import RESOLUTIONS, Letters, Resolution, Resolve
from trido.journal.rows import AgentKey
from trido.journal.session import Session
from trido.runtime.environment import Environment
from trido.runtime.naming import id_of, key_of
from trido.runtime.place import AgentPlace
from trido.runtime.recovering import not_kept
from trido.runtime.standing import retry

_ID: Final = re.compile(r"(.+)/([0-9]+)\.([0-9]+)", re.DOTALL)


async def resolve(env: Environment, id: str, to: Resolution) -> None:
    """Settle a directive: see `Runtime.resolve`."""
    agent, directive = _parsed(id)
    if to not in RESOLUTIONS:
        raise SpecError("to", to, f"one of {', '.join(RESOLUTIONS)}", of="resolve")
    if env.session is None:
        raise SpecError(
            "id", id, "of an agent in a journal: this runtime has none open", of="resolve"
        )
    await trio.lowlevel.checkpoint_if_cancelled()
    await _resolve(env, env.session, id, Resolve(agent, *directive, to))
    if env.letters is not None:  # pragma: no branch - a runtime has them
        env.letters.forget(id)


async def _resolve(env: Environment, session: Session, id: str, write: Resolve) -> None:
    place = env.places.get(id_of(write.agent))
    if write.to != "retry" or place is None or place.durable is None:
        await session.write(write)
    else:
        await _retry(place, session, write)


async def _retry(place: AgentPlace[Any], session: Session, write: Resolve) -> None:
    """Its agent runs: it carries it out."""
    letters, id = await session.read(Letters(write.agent)), (write.revision, write.index)
    found = [one for one in letters if (one.revision, one.index) == id]
    again = [(one, place.codec.decode(one.name, one.data)) for one in found]
    await session.write(write)
    for one, directive in again:
        retry(place, directive, id, not_kept(place.id, one))


def _parsed(id: object) -> tuple[AgentKey, tuple[int, int]]:
    match = _ID.fullmatch(id) if isinstance(id, str) else None
    if match is None:
        allowed = "of a directive: the agent's id, a slash, the revision, a dot and the index"
        raise SpecError("id", id, allowed, of="resolve")
    agent, revision, index = match.groups()
    return key_of(agent), (int(revision), int(index))
