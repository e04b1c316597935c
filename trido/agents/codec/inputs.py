"""The recorded input of a turn: enough to decide again."""

from __future__ import annotations

from typing import Any, Final, final, get_args

from attrs import frozen

from trido.agents.codec.errors import Misfit
from trido.agents.codec.text import members, read
from trido.agents.codec.times import moment_of
from trido.agents.codec.vocabulary import SIGNAL, Vocabulary
from trido.agents.signal import Signal
from trido.agents.turn import Turn, Why

_INPUT: Final = SIGNAL | {"why", "now", "planned", "request", "effectful"}
_WHY: Final = frozenset(get_args(Why))
HOOKS: Final[frozenset[Why]] = frozenset({"start", "restart", "stop"})
"""Why there is a turn that no route decides."""


@final
@frozen
class Input:
    """What a turn was decided upon."""

    signal: Signal
    turn: Turn
    is_effectful: bool
    """Whether its handler awaited, so that what it decided cannot be decided again."""

    @property
    def is_hook(self) -> bool:
        """Whether the start or the stop of the agent decided, and not a route."""
        return self.turn.why in HOOKS


def dump_input(
    said: dict[str, Any],
    why: Why,
    now: int,
    planned: int | None,
    request: str | None,
    *,
    effectful: bool,
) -> dict[str, Any]:
    """An input, from the members of its signal."""
    said["why"] = why
    said["now"] = now
    if planned is not None:
        said["planned"] = planned
    if request is not None:
        said["request"] = request
    if effectful:
        said["effectful"] = True
    return said


def load_input(data: bytes, agent_id: str, revision: int, vocabulary: Vocabulary) -> Input:
    """The input of the turn that led from ``revision`` on.

    Raises:
      Misfit: it is none.
      NewerVersion, Undecodable: the data of its signal cannot be upgraded.
    """
    said = members(read(data), _INPUT)
    signal = vocabulary.load(said)
    why, request = said.get("why"), said.get("request")
    if not isinstance(why, str) or why not in _WHY:
        raise Misfit(f"expected one of {', '.join(sorted(_WHY))}", ".why")
    if not isinstance(request, str | None):
        raise Misfit("expected a string", ".request")
    turn = Turn(
        signal=signal,
        now=moment_of(said.get("now")),
        planned=moment_of(said["planned"]) if "planned" in said else None,
        agent_id=agent_id,
        revision=revision,
        request=request,
        why=why,  # type: ignore[arg-type]  # it was looked at
    )
    return Input(signal, turn, said.get("effectful") is True)
