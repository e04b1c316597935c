"""What a failed directive does to its agent: the error policies."""

from __future__ import annotations

import logging
from collections import deque
from typing import TYPE_CHECKING, Any, Final, final

import trio

from trido.agents import Emit, Signal
from trido.agents.secrets import redacted
from trido.runtime.carrying import Origin, carry_out
from trido.runtime.errors import DirectiveFailed
from trido.runtime.settings import MaxErrors, Verdict

if TYPE_CHECKING:
    from trido.runtime.place import AgentPlace

FAILED: Final = "agent.directive.failed"


@final
class Failures:
    """The failed directives of one agent."""

    __slots__ = ("_is_to_stop", "_place", "_times")

    def __init__(self, place: AgentPlace[Any]) -> None:
        self._place = place
        self._times: deque[float] = deque()
        self._is_to_stop = False

    def handle(self, error: DirectiveFailed) -> None:
        """Do what the agent's ``on_error`` says. It is logged in any case."""
        directive = redacted(error.directive)
        _LOG.error("agent %r: %s failed", error.id, directive, exc_info=error.__cause__)
        verdict = self._verdict(error)
        if verdict == "emit":
            self._emit(error)
        elif verdict == "stop":
            self._is_to_stop = True
            self.resume()

    def resume(self) -> None:
        """Stop the agent, if it is to be stopped and has a run that serves."""
        run = self._place.serving_run
        if self._is_to_stop and run is not None:
            self._is_to_stop = False
            run.stop()

    def _verdict(self, error: DirectiveFailed) -> Verdict:
        policy = self._place.settings.on_error
        if isinstance(policy, MaxErrors):
            return "stop" if self._too_many(policy) else "log"
        if not callable(policy):
            return policy
        try:
            return _checked(policy(error))
        except BaseException as mistake:  # noqa: ASYNC103  # the end of this run
            _LOG.error("agent %r: its on_error failed", error.id, exc_info=mistake)
            self._place.crash(mistake)
        return "log"

    def _too_many(self, policy: MaxErrors) -> bool:
        now = trio.current_time()
        self._times.append(now)
        while self._times[0] < now - policy.within:
            self._times.popleft()
        return len(self._times) > policy.n

    def _emit(self, error: DirectiveFailed) -> None:
        data = {
            "agent": error.id,
            "directive": type(error.directive).__name__,
            "error": redacted(error.__cause__),
        }
        signal = Signal(FAILED, data)
        carry_out(self._place, Emit(signal), Origin(signal))


def _checked(verdict: object) -> Verdict:
    if verdict in ("log", "stop", "emit"):
        return verdict
    raise TypeError(f"on_error returned {verdict!r}: not 'log', 'stop' or 'emit'")


_LOG: Final = logging.getLogger("trido")
