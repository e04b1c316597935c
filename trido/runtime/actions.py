"""Running actions: attempts, sequences, and what is undone when they fail.

`Runner.run` runs one action: it builds the data, tries, and undoes what was done if that
failed for good. A sequence runs its steps the same way, and keeps what they have done until it
knows how all of it ends.
"""

from __future__ import annotations

import random
from collections.abc import Awaitable, Callable
from typing import Any, TypeAlias, TypeVar, final

import trio
from attrs import frozen

from trido.agents.action import Action, AsyncAction
from trido.agents.action_errors import ActionTimeout, StepFailed
from trido.agents.policies import Retry
from trido.errors import SpecError
from trido.runtime.meters import Admission, Meters
from trido.runtime.undo import Effect, undo
from trido.supervision import Backoff
from trido.values import ByFields

D = TypeVar("D")
R = TypeVar("R")

Call: TypeAlias = Callable[[Action[Any, Any], Any, Admission], Awaitable[Any]]
"""Calls an action's function with its data, somewhere."""

BACKOFF = Backoff(jitter=0.5)
"""How long to wait before the next attempt, if the action does not say."""


async def run_action(action: Action[D, R], params: D, *, meters: Meters | None = None) -> R:
    """Run an action in this task: once, or as its ``retry`` says. If it failed, undo it.

    What comes back is what the function returned. If it failed for good, its last error comes out,
    after its ``compensate`` has run. If the caller is cancelled, so is the action: no attempt, no
    step and no wait begins any more, and ``compensate`` runs if an attempt had begun. So a
    `trio.Cancelled` that comes out means that it did not come to its end. Compensations run once,
    to their end: a cancellation leaves them the time of a `trido.cleanup`.

    Checkpoints: always, before the function begins.

    Args:
      action: what to run.
      params: what it takes: an instance, or plain data for one.
      meters: what its policies have seen so far. Without it, nothing.

    Raises:
      SpecError: it is no action.
      InvalidData: the parameters are not what the action takes. Nothing has run.
      InvalidResult: the result is not what the function promises.
      ActionTimeout: the attempt took longer than ``timeout``.
      BreakerOpen: a breaker refused it.
      StepFailed: a step of a sequence failed.
      BaseExceptionGroup: a compensation failed: the error, then a `CompensationFailed` for each.
      Exception: whatever the function raised.
    """
    if not isinstance(action, Action):
        raise SpecError("action", action, "a trido.Action: see trido.action", of="run_action")
    result: R = await perform(action, params, meters or Meters(), in_task)
    return result


async def perform(action: Action[Any, Any], params: object, meters: Meters, call: Call) -> Any:
    """Run an action, its function called by ``call``."""
    await trio.lowlevel.checkpoint()
    return await Runner(meters, call).run(action, params, [])


async def in_task(action: Action[Any, Any], data: Any, admission: Admission) -> Any:
    """Call the function here."""
    result = action.function(data)
    return await result if isinstance(action, AsyncAction) else result


@final
@frozen(eq=False, repr=False)
class Runner(ByFields):
    """How one action is run, and its steps with it."""

    meters: Meters
    call: Call

    async def run(self, action: Action[Any, Any], params: object, effects: list[Effect]) -> Any:
        """Run an action to its end; what it did then stands, and is added to ``effects``.

        If it raises, what it did is undone.
        """
        data = action.build(params)
        own: list[Effect] = []
        try:
            result = await (self._all_steps if action.steps else self._try)(action, data, own)
        except BaseException as error:
            await undo(own, error)  # noqa: ASYNC102, ASYNC120  # it shields what it has to
            raise
        effects += own
        return result

    async def _all_steps(
        self, action: Action[Any, Any], data: object, effects: list[Effect]
    ) -> Any:
        for number, step in enumerate(action.steps, 1):
            try:
                data = await self.run(step, data, effects)
            except Exception as error:
                raise StepFailed(action.name, step.name, number) from error
        return data

    async def _try(self, action: Action[Any, Any], data: object, effects: list[Effect]) -> Any:
        """Make attempts, until one succeeds or is not followed by another."""
        attempt = 1
        while True:
            try:
                return await self._attempt(action, data, effects)
            except Exception as error:
                if action.retry is None or not action.retry.again(attempt, error):
                    raise
            attempt += 1
            await trio.sleep(_delay(action.retry, attempt))

    async def _attempt(self, action: Action[Any, Any], data: object, effects: list[Effect]) -> Any:
        async with self.meters.admit(action) as admission:
            # The last moment. From here on it counts as done, until it is undone.
            await trio.lowlevel.checkpoint_if_cancelled()
            if action.compensate is not None and not effects:
                effects.append((action, data))
            with trio.move_on_after(action.timeout):
                return action.check(await self.call(action, data, admission))
            raise ActionTimeout(action.name, action.timeout, admission.kept)


def _delay(retry: Retry, attempt: int) -> float:
    return (retry.backoff or BACKOFF).delay(attempt, random.random())
