"""What an operator says became of a directive that was given up, or whose outcome is unknown."""

from __future__ import annotations

import logging
import re
from collections.abc import Awaitable, Generator
from functools import partial
from typing import Any, Final, final

import trio
from outcome import Error, Outcome, Value

from trido.errors import SpecError
from trido.journal.errors import Unavailable
from trido.journal.operations import RESOLUTIONS, Letters, Resolution, Resolve
from trido.journal.rows import AgentKey
from trido.journal.session import Session
from trido.runtime.environment import Environment
from trido.runtime.naming import id_of, key_of
from trido.runtime.place import AgentPlace
from trido.runtime.recovering import not_kept
from trido.runtime.standing import retry

_LOG: Final = logging.getLogger("trido")
_ENDED: Final = ("the runtime ended meanwhile", "open it again, and try again")
_ID: Final = re.compile(r"(.+)/(0|[1-9][0-9]{0,17})\.(0|[1-9][0-9]{0,17})", re.DOTALL)


@final
class Resolving(Awaitable[None]):
    """What `Runtime.resolve` has begun. It goes on by itself; await it to hear what came of it."""

    __slots__ = ("_is_heard", "_is_over", "_outcome")

    def __init__(self, file: str) -> None:
        self._is_over = trio.Event()
        self._is_heard = False
        self._outcome: Outcome[None] = Error(Unavailable(file, *_ENDED))

    def __await__(self) -> Generator[Any, Any, None]:
        return self._heard().__await__()

    async def _heard(self) -> None:
        self._is_heard = True
        await self._is_over.wait()
        self._outcome.unwrap()

    async def carry_out(self, env: Environment, session: Session, id: str, write: Resolve) -> None:
        """Do it."""
        try:
            await _resolve(env, session, id, write)
        except Exception as error:
            self._outcome = Error(error)
            if not self._is_heard:
                _LOG.error("directive %r is not resolved as %r: %s", id, write.to, error)
        else:
            self._outcome = Value(None)
        finally:
            self._is_over.set()


def resolve(env: Environment, nursery: trio.Nursery, id: str, to: Resolution) -> Resolving:
    """Settle a directive: see `Runtime.resolve`."""
    agent, directive = _parsed(id)
    if to not in RESOLUTIONS:
        raise SpecError("to", to, f"one of {', '.join(RESOLUTIONS)}", of="resolve")
    if env.session is None:
        raise SpecError(
            "id", id, "of an agent in a journal: this runtime has none open", of="resolve"
        )
    resolving, write = Resolving(env.session.file), Resolve(agent, *directive, to)
    # Not in the context of whoever says so: that may be somebody who is just being stopped.
    work = partial(resolving.carry_out, env, env.session, id, write)
    nursery.parent_task.context.copy().run(lambda: nursery.start_soon(work))
    return resolving


async def _resolve(env: Environment, session: Session, id: str, write: Resolve) -> None:
    place = env.places.get(id_of(write.agent))
    if write.to != "retry" or place is None or place.durable is None:
        await session.write(write)
    else:
        await _retry(place, session, write)
    if env.letters is not None:  # pragma: no branch - a runtime has them
        env.letters.forget(id)


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
        allowed = (
            "of a directive: the agent's id, a slash, the revision, a dot and the index, numbers of"
            " at most 18 digits"
        )
        raise SpecError("id", id, allowed, of="resolve")
    agent, revision, index = match.groups()
    return key_of(agent), (int(revision), int(index))
