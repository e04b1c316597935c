"""The directive that runs an action beside the agent."""

from __future__ import annotations

from typing import Any, final

from attrs import field, frozen

from trido.agents.action import Action
from trido.agents.directive import DELIVERY_MODES, DeliveryMode, Directive, Where
from trido.agents.frozen import freeze, too_deep
from trido.agents.where import check_where
from trido.checks import one_of, text
from trido.errors import SpecError
from trido.values import ByFields


def _frozen(params: object) -> Any:
    try:
        return freeze(params)
    except RecursionError:
        raise too_deep("Run", "params", params) from None


@final
@frozen(eq=False, repr=False)
class Run(Directive):
    """Run ``action`` beside the agent, which goes on serving signals meanwhile.

    It is a child task of the agent. What comes of it is a signal to the agent itself: of the type
    ``ok`` with the result for its data, or of the type ``error`` with a `RunFailed`. Without ``ok``
    the result is dropped; without ``error`` a failure goes to the agent's ``on_error``.

    ``where`` says where it runs: as a task of Trio, in a thread, or in a process. A process is
    killed when the run is cancelled; a thread cannot be, so it goes on to its end, and what it
    returns is dropped.

    A crash of the agent cancels it. An agent that goes on with its committed state runs it again,
    unless ``delivery`` is ``"at_most_once"``: then it is a dead letter, its outcome unknown.

    Raises:
      SpecError: the action is none, or cannot run there; or the parameters are nested too deeply,
        or in themselves.
    """

    action: Action[Any, Any]
    params: Any = field(default=None, converter=_frozen)
    """An instance of its parameter class, or plain data for one."""
    ok: str | None = field(default=None, kw_only=True)
    error: str | None = field(default=None, kw_only=True)
    where: Where = field(default="task", kw_only=True)
    delivery: DeliveryMode = field(default="idempotent", kw_only=True)

    def __attrs_post_init__(self) -> None:
        if not isinstance(self.action, Action):
            raise SpecError("action", self.action, "a trido.Action", of="Run")
        check_where(self.action, self.where)
        one_of("Run", "delivery", self.delivery, DELIVERY_MODES)
        for name in ("ok", "error"):
            if getattr(self, name) is not None:
                text("Run", name, getattr(self, name))


@final
@frozen(eq=False, repr=False)
class RunFailed(ByFields):
    """The data of the signal that tells of a failed `Run`."""

    action: str
    """The name of the action."""
    params: Any
    """What it was run with."""
    kind: str
    """The name of the error's class."""
    error: str
    """What it says, without secrets."""
