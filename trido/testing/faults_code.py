"""Code that awaits, looked on from outside: what happens to it happens when an await resumes.

Throwing at the yield would leave Trio with a lock that nobody holds, or a value that nobody has. So
the await has its effect first, and what is raised is raised in the user's own frame, right behind
it. If the await fails anyway, or is cancelled, its error is just another one.
"""

from __future__ import annotations

import functools
import inspect
import types
from collections.abc import Awaitable, Callable, Generator, Iterable, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeVar, final

import trio
from outcome import Error

from trido.supervision.place import Report
from trido.testing.faults_frames import own_frame, send_into
from trido.testing.faults_targets import Place, Target, names_of
from trido.testing.plan_faults import AWAITING, CodeFault
from trido.testing.plan_points import Await, Start, Stop, Who

if TYPE_CHECKING:
    from trido.testing.faults import Faults
    from trido.testing.faults_turns import Step

T = TypeVar("T")


class Code:
    """Some code of somebody's."""

    def __init__(self, faults: Faults, target: Target, names: Sequence[Who]) -> None:
        self._faults = faults
        self._target = target
        self._names = names
        self._swallows = False
        self._outside: Any = None
        """Trio's word for the scopes that it is called in."""

    def enter(self) -> None:
        """It is called here."""
        self._outside = trio.lowlevel.current_task()._cancel_status

    def is_cancelled(self, value: object) -> bool:
        """Whether this outcome of an await says that it is cancelled, and not by a scope of its."""
        cancelled = isinstance(value, Error) and isinstance(value.error, trio.Cancelled)
        return cancelled and bool(self._outside.effectively_cancelled)

    @contextmanager
    def outside(self) -> Generator[None]:
        """Out of its own scopes, which may have ended: what is awaited here is not."""
        task = trio.lowlevel.current_task()
        inside = task._cancel_status
        task._activate_cancel_status(self._outside)
        try:
            yield
        finally:
            task._activate_cancel_status(inside)

    async def before(self) -> None:
        """It is about to be called."""

    async def after(self) -> None:
        """It has returned."""

    def resumed(self, *, cancelled: bool) -> list[CodeFault]:
        """An await of its resumes: what is to happen now."""
        return self._faults.met(self._names, Await)

    def is_deaf(self, *, cancelled: bool) -> bool:
        """Whether it takes no notice of being cancelled."""
        return cancelled and self._swallows

    async def act(self, faults: Iterable[CodeFault], *, shield: bool = False) -> None:
        """Let these happen."""
        for fault in faults:
            with trio.CancelScope(shield=shield):
                await self._act(fault)
        if shield and self._swallows:
            with trio.CancelScope(shield=True):
                await trio.sleep_forever()

    async def _act(self, fault: CodeFault) -> None:
        if fault.act == "swallow":
            self._swallows = True
        elif fault.act == "slow":
            await trio.sleep(fault.seconds)
        elif fault.act == "hang":
            await trio.sleep_forever()
        else:
            self._faults.raise_in(self._target, [fault])


@final
class ChildCode(Code):
    """The function of a child, in one run of it."""

    def __init__(self, faults: Faults, report: Report) -> None:
        super().__init__(faults, report, names_of(report))
        self._stops = False

    async def before(self) -> None:
        """It starts."""
        await self.act(self._faults.met(self._names, Start))

    def resumed(self, *, cancelled: bool) -> list[CodeFault]:
        """If that is because it is being stopped, that is its stop."""
        faults = super().resumed(cancelled=cancelled)
        if cancelled and not self._stops:
            self._stops = True
            faults += self._faults.met(self._names, Stop)
        return faults


@final
class AgentCode(Code):
    """What of an agent awaits: a handler, or what carries out a directive."""

    def __init__(
        self,
        faults: Faults,
        place: Place,
        ready: Iterable[CodeFault] = (),
        found: tuple[Step, int] | None = None,
    ) -> None:
        super().__init__(faults, place, names_of(place))
        self._place = place
        self._ready = list(ready)
        self._found = found
        self._is_in = False

    async def before(self) -> None:
        """What is to happen at its beginning does."""
        await self.act(self._ready)
        await self._carry("before")

    async def after(self) -> None:
        """It is done."""
        self.hit_during()
        await self._carry("after")

    async def _carry(self, moment: str) -> None:
        if self._found is not None:
            step, index = self._found
            faults = self._faults.meet(step.of(index, moment))
            self._faults.hit(self._place, faults)
            await self.act(fault for fault in faults if fault.act in AWAITING)

    def resumed(self, *, cancelled: bool) -> list[CodeFault]:
        """If it is for the first time, it is under way."""
        return [*self.hit_during(), *super().resumed(cancelled=cancelled)]

    def hit_during(self) -> list[CodeFault]:
        """It is under way; what is left for code that awaits."""
        if self._found is None or self._is_in:
            return []
        self._is_in = True
        step, index = self._found
        faults = self._faults.meet(step.of(index, "during"))
        self._faults.hit(self._place, faults)
        return [fault for fault in faults if fault.act in AWAITING]


def driven(fn: Callable[..., Awaitable[T]], code: Code) -> Callable[..., Awaitable[T]]:
    """``fn``, looked on as it awaits."""

    @functools.wraps(fn)
    async def call(*args: Any, **kwargs: Any) -> T:
        code.enter()
        await code.before()
        awaitable = fn(*args, **kwargs)
        if inspect.iscoroutine(awaitable):
            awaitable = _drive(awaitable, code)
        result = await awaitable
        await code.after()
        return result

    return call


@types.coroutine
def _drive(coroutine: Any, code: Code) -> Generator[Any, Any, Any]:
    send, value, late = coroutine.send, None, None
    while True:
        try:
            message = send(value)
        except StopIteration as stop:
            return stop.value
        try:
            value, send = (yield message), coroutine.send
        except BaseException as thrown:  # noqa: ASYNC103  # as if nobody looked on
            value, send = thrown, coroutine.throw
            continue  # noqa: ASYNC104
        frame = own_frame(coroutine)
        if frame is None:
            continue
        error = late or (yield from _what_happens(code, value).__await__())
        late = None
        if error is not None and isinstance(value, Error):
            value = Error(error)
        elif error is not None:
            late = error
            send = functools.partial(send_into, coroutine, frame, error)


async def _what_happens(code: Code, value: object) -> BaseException | None:
    """What is to be raised, now that an await has this outcome."""
    cancelled = code.is_cancelled(value)
    faults = code.resumed(cancelled=cancelled)
    if not faults and not code.is_deaf(cancelled=cancelled):
        return None
    try:
        with code.outside():
            await code.act(faults, shield=cancelled)
    except BaseException as error:  # noqa: ASYNC103  # it is raised in the code
        return error  # noqa: ASYNC104
    return None
