"""Agents: what one decides, and how it is to be run. Still a value."""

from __future__ import annotations

from typing import Literal, TypeAlias, TypeVar, final

from trido.agents import Definition
from trido.checks import count, flag, one_of
from trido.runtime.spec import AgentSpec
from trido.supervision import Backoff
from trido.supervision.policy import Exceptions, Grace, OnLimit, Restart

S = TypeVar("S")

Overflow: TypeAlias = Literal["block", "reject", "drop_newest", "drop_oldest"]
Recover: TypeAlias = Literal["fresh", "committed"]


@final
class Agent(Definition[S]):
    """The definition of an agent: a name, a state class, handlers, and how to run it.

    It is a value, and runs nothing: `cmd` decides without anything running, and `spec` makes a
    child for a supervisor. Any number of agents can be run of one definition.

    Args:
      name: what it is called, wherever definitions are told apart.
      state: a frozen attrs class whose fields all have defaults. An agent begins with ``state()``.
      mailbox: how many signals may wait.
      overflow: what happens to one more: its sender waits (``"block"``) or is refused
        (``"reject"``), or a signal is dropped: this one (``"drop_newest"``) or the one that waited
        longest (``"drop_oldest"``). A dropped cast is a dead letter; a dropped call raises
        `Overloaded`.
      keep_mailbox: whether signals that wait when the agent crashes are served by its next run;
        False makes dead letters of them.
      recover: what the next run begins with: ``state()`` again (``"fresh"``), or the last
        committed state (``"committed"``).

    Raises:
      SpecError: an argument is not what it may be.
    """

    def __init__(
        self,
        name: str,
        *,
        state: type[S],
        mailbox: int = 1024,
        overflow: Overflow = "block",
        keep_mailbox: bool = True,
        recover: Recover = "fresh",
    ) -> None:
        super().__init__(name, state=state)
        count(self.of, "mailbox", mailbox, least=1, infinite=False)
        one_of(self.of, "overflow", overflow, ("block", "reject", "drop_newest", "drop_oldest"))
        flag(self.of, "keep_mailbox", keep_mailbox)
        one_of(self.of, "recover", recover, ("fresh", "committed"))
        self.mailbox = mailbox
        self.overflow: Overflow = overflow
        self.keep_mailbox = keep_mailbox
        self.recover: Recover = recover

    def spec(
        self,
        *,
        id: str,
        restart: Restart = "transient",
        shutdown: Grace = 5.0,
        significant: bool = False,
        backoff: Backoff | None = None,
        on_limit: OnLimit = "escalate",
        restart_on: Exceptions = Exception,
        escalate_on: Exceptions = (),
    ) -> AgentSpec[S]:
        """A child for a supervisor: an agent with this id. Its `Child.value` is its `AgentRef`.

        The agent is ready at once. A crash restarts it, a `Stop` does not: it is transient unless
        ``restart`` says otherwise. ``shutdown`` bounds how long it may take to deliver, after it
        was stopped, what it emitted before. The others are as in `ChildSpec`.

        Raises:
          SpecError: an argument is not what it may be.
        """
        return AgentSpec(
            agent=self,
            id=id,
            restart=restart,
            shutdown=shutdown,
            significant=significant,
            backoff=backoff,
            on_limit=on_limit,
            restart_on=restart_on,
            escalate_on=escalate_on,
        )
