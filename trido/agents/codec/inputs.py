"""The recorded input of a turn: enough to decide again."""

from __future__ import annotations

from json.encoder import encode_basestring as quoted
from typing import Final, final, get_args

from attrs import frozen

from trido.agents.codec.errors import Misfit
from trido.agents.codec.signals import dump_plain, dump_stamp
from trido.agents.codec.text import as_bytes, members, read, said
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


# Every durable turn writes one, and most have a type, data and nothing else: so these are put
# together as text, and only what is rarer goes by a dict.
def dump_input(
    signal: Signal,
    vocabulary: Vocabulary,
    why: Why,
    now: int,
    *,
    planned: int | None,
    request: str | None,
    effectful: bool,
) -> bytes:
    """An input: the members of its signal, and those of the turn. Raises `Misfit`."""
    text = f'{{"type":{quoted(signal.type)},"why":"{why}","now":{now}'
    if request is not None:
        text += f',"request":{quoted(request)}'
    if signal.data is not None:
        text += f',"data":{said(dump_plain(signal.data, ".data"))}'
    more = dump_stamp(signal)
    version = vocabulary.versions.get(signal.type)
    if version is not None:
        more["version"] = version.number
    if planned is not None:
        more["planned"] = planned
    if effectful:
        more["effectful"] = True
    return as_bytes(f"{text},{said(more)[1:]}" if more else text + "}")


def load_input(data: bytes, agent_id: str, revision: int, vocabulary: Vocabulary) -> Input:
    """The input of the turn that led from ``revision`` on.

    Raises:
      Misfit: it is none.
      NewerVersion, Undecodable: the data of its signal cannot be upgraded.
    """
    found = members(read(data), _INPUT)
    signal = vocabulary.load(found)
    why, request = found.get("why"), found.get("request")
    if not isinstance(why, str) or why not in _WHY:
        raise Misfit(f"expected one of {', '.join(sorted(_WHY))}", ".why")
    if not isinstance(request, str | None):
        raise Misfit("expected a string", ".request")
    turn = Turn(
        signal=signal,
        now=moment_of(found.get("now")),
        planned=moment_of(found["planned"]) if "planned" in found else None,
        agent_id=agent_id,
        revision=revision,
        request=request,
        why=why,  # type: ignore[arg-type]  # it was looked at
    )
    return Input(signal, turn, found.get("effectful") is True)
