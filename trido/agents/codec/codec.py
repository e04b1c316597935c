"""The codec of a runtime: all that its agents leave in a journal, written and read."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final, TypeVar, final

from trido.agents.action import Action
from trido.agents.codec.directives import Directives
from trido.agents.codec.errors import CodecError, Misfit, Undecodable, Unencodable
from trido.agents.codec.inputs import Input, dump_input, load_input
from trido.agents.codec.known import Known
from trido.agents.codec.replies import dump_reply, load_reply
from trido.agents.codec.state import StateCodec
from trido.agents.codec.timers import dump_timer, load_timer
from trido.agents.codec.times import micros
from trido.agents.codec.vocabulary import Vocabulary
from trido.agents.definition import Definition
from trido.agents.directive import Directive
from trido.agents.family import SpawnAgent
from trido.agents.frozen import EMPTY
from trido.agents.handlers import callers_names
from trido.agents.kept import KeptTimer
from trido.agents.running import Run
from trido.agents.signal import Signal
from trido.agents.turn import Why
from trido.errors import SpecError

S = TypeVar("S")
_INPUT: Final = "input of a turn"
_TIMER: Final = "timer"
_REPLY: Final = "reply"


@final
class Codec:
    """Writes what agents leave in a journal, and reads it again.

    What is written can be read: what could not be is refused when it is written, and what was
    written and cannot be read any more is an error, never something else. It is a matter of the
    arguments alone which bytes are written.

    Args:
      agents: definitions, by their names.
      actions: actions, by their names.
      directives: classes of one's own directives, by their names.
      is_lenient: whether signals for agents that are not known are read as they come. For looking
        only: nothing is to be carried out by what is read so.

    Raises:
      SpecError: two routes do not agree on the version of a signal, or a directive is called like
        one of trido's.
    """

    __slots__ = ("_directives", "_known", "_states")

    def __init__(
        self,
        agents: Mapping[str, Definition[Any]] = EMPTY,
        actions: Mapping[str, Action[Any, Any]] = EMPTY,
        directives: Mapping[str, type] = EMPTY,
        *,
        is_lenient: bool = False,
    ) -> None:
        vocabulary = Vocabulary(is_lenient=is_lenient)
        self._known = Known(dict(actions), vocabulary)
        self._states: dict[str, StateCodec[Any]] = {}
        self._directives = Directives(self._known, directives, callers_names())
        for definition in agents.values():
            self.learn(definition)

    def learn(self, definition: Definition[Any]) -> None:
        """Have one more definition known by its name.

        Raises:
          SpecError: another one is, or its routes do not agree with those that are known on the
            version of a signal.
        """
        known = self._known.agents.get(definition.name)
        if known is definition:
            return
        if known is not None:
            allowed = "a name that no other agent of the runtime has"
            raise SpecError("name", definition.name, allowed, of=definition.of)
        self._known.vocabulary.learn(definition)
        self._known.agents[definition.name] = definition

    @property
    def actions(self) -> tuple[Action[Any, Any], ...]:
        """Those that are known by their names."""
        return tuple(self._known.actions.values())

    def meet(self, directive: Directive) -> None:
        """Have what a directive is about known by its name, unless something else is.

        Raises:
          SpecError: as `learn`.
        """
        if isinstance(directive, Run):
            self._known.actions.setdefault(directive.action.name, directive.action)
        elif isinstance(directive, SpawnAgent):
            if directive.agent.name not in self._known.agents:
                self.learn(directive.agent)
        else:
            self._directives.learn(type(directive))

    def rewritten(self, name: str, data: bytes) -> bytes:
        """What a directive says, as it would be written now; as it is, if it cannot be read."""
        try:
            return self.encode(self.decode(name, data))[1]
        except CodecError:
            return data

    def state(self, definition: Definition[S]) -> StateCodec[S]:
        """What writes and reads the states of a definition.

        Raises:
          SpecError: a field of the state class has a type whose values could not be read again.
        """
        found = self._states.get(definition.name)
        if found is None or found.definition is not definition:
            found = self._states[definition.name] = StateCodec(definition)
        return found

    def encode(self, directive: Directive) -> tuple[str, bytes]:
        """The name of a directive, and what it says.

        Raises:
          Unregistered: it, or what it is about, could not be found again by its name.
          Unencodable: something in it could not be read again.
        """
        return self._directives.encode(directive)

    def decode(self, name: str, data: bytes) -> Directive:
        """The directive of that name that says so. Refs are `AgentId`s.

        Raises:
          Unregistered: it, or what it is about, is not known by its name.
          NewerVersion: its signal has data of a newer version.
          Undecodable: it is none.
        """
        return self._directives.decode(name, data)

    def encode_input(
        self,
        signal: Signal,
        *,
        why: Why,
        now: datetime | int,
        planned: datetime | None = None,
        request: str | None = None,
        effectful: bool = False,
    ) -> bytes:
        """What a turn is decided upon, but for what its row says: the agent and the revision.

        Args:
          signal: what was sent.
          why: what the turn is there for.
          now: when it is; or that as `micros`.
          planned: when its timer was to fire.
          request: what its caller can be answered by.
          effectful: whether its handler awaits.

        Raises:
          Unencodable: the signal could not be read again.
        """
        at = now if isinstance(now, int) else micros(now)
        due = None if planned is None else micros(planned)
        words = self._known.vocabulary
        try:
            return dump_input(
                signal, words, why, at, planned=due, request=request, effectful=effectful
            )
        except Misfit as error:
            raise _unencodable(_INPUT, error) from None

    def decode_input(self, data: bytes, *, agent_id: str, revision: int) -> Input:
        """What a turn was decided upon, with its `Turn`.

        Args:
          data: what was written.
          agent_id: whose turn it was.
          revision: of the agent before the turn: one less than its row has.

        Raises:
          NewerVersion: the signal has data of a newer version.
          Undecodable: it is none.
        """
        try:
            return load_input(data, agent_id, revision, self._known.vocabulary)
        except Misfit as error:
            raise _undecodable(_INPUT, error) from None

    def encode_timer(self, timer: KeptTimer) -> tuple[str, int, bytes]:
        """The key of a timer's row, when it is due, and what it says.

        Raises:
          Unencodable: its signal could not be read again.
        """
        try:
            return timer.row, micros(timer.due), dump_timer(timer, self._known.vocabulary)
        except Misfit as error:
            raise _unencodable(_TIMER, error) from None

    def decode_timer(self, row: str, due: int, data: bytes) -> KeptTimer:
        """The timer of a row.

        Raises:
          NewerVersion: the signal has data of a newer version.
          Undecodable: it is none.
        """
        try:
            return load_timer(row, due, data, self._known.vocabulary)
        except Misfit as error:
            raise _undecodable(_TIMER, error) from None

    def encode_reply(
        self, definition: Definition[Any], value: object, fields: Mapping[str, bytes] | None = None
    ) -> bytes:
        """The answer to a call. A state comes back as one, all else as plain data.

        Args:
          definition: of the agent that answers.
          value: the answer.
          fields: if it is a state, all its fields, if they are written already.

        Raises:
          Unencodable: it could not be read again.
        """
        try:
            return dump_reply(self.state(definition), value, fields)
        except Misfit as error:
            raise _unencodable(_REPLY, error) from None

    def decode_reply(self, definition: Definition[Any], data: bytes) -> Any:
        """The answer that was given.

        Raises:
          NewerVersion: it is a state of a newer version.
          Undecodable: it is none.
        """
        try:
            return load_reply(self.state(definition), data)
        except Misfit as error:
            raise _undecodable(_REPLY, error) from None


def _unencodable(what: str, error: Misfit) -> Unencodable:
    return Unencodable(what, f"${error.path}", error.rule)


def _undecodable(what: str, error: Misfit) -> Undecodable:
    return Undecodable(what, f"${error.path}", error.rule)
