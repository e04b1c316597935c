"""What agents are ordered to do: data that says it all, so that handlers only obey.

Every order has a name of its own, and what follows from it is named after it: ``n3.0`` is what the
first deed of ``n3`` sends. So whatever becomes of a signal can be told of it, and of no other.
"""

from __future__ import annotations

from typing import Any, Final, Literal, TypeAlias

from attrs import evolve, frozen

import trido
from trido.agents import Address

AgentId: TypeAlias = str
How: TypeAlias = Literal["", "rejects", "ends", "breaks its state", "asks for what nobody does"]
IDS: Final = ("a", "b", "c")
ADDRESSES: Final = (*IDS, "a", "b", "a/x", "b/y", "parent", "nobody")
"""Where orders may be sent; the first two have more to do than others."""
BACKOFF: Final = trido.Backoff(min=0.25, max=2.0)
KEYS: Final = ("k", "l")
TAGS: Final = ("x", "y")


@frozen
class Book:
    """The state of every agent: all that its accepted turns did, in order."""

    done: tuple[str, ...] = ()
    requests: tuple[str, ...] = ()
    """Whom it owes an answer."""


@frozen(repr=False)
class Order:
    """What one turn is to do. A list of waits makes it an effectful one."""

    deeds: tuple[Any, ...] = ()
    waits: tuple[Any, ...] = ()
    """Seconds that it sleeps, or what it asks of others (`Ask`)."""
    crashes: int = 0
    """So many attempts crash."""
    at: int = 0
    """After which of the waits they do."""
    how: How = ""
    name: str = ""
    finishes: bool = False
    """Its turn goes on when its caller is gone."""

    def __repr__(self) -> str:
        said = [f"waits {list(self.waits)}"] * bool(self.waits)
        said += [f"crashes {self.crashes} times (after wait {self.at})"] * bool(self.crashes)
        said += [self.how] * bool(self.how) + ["finishes"] * self.finishes
        return f"<{' '.join([self.name or 'order', ', '.join([*said, *map(repr, self.deeds)])])}>"

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:  # noqa: FBT001
        """How Hypothesis writes it."""
        printer.text(repr(self))

    @property
    def type(self) -> str:
        if not self.waits:
            return "do"
        return "wait.finish" if self.finishes else "wait"

    def signal(self, name: str, *, type: str = "") -> trido.Signal:
        return trido.Signal(type or self.type, evolve(self, name=name))


@frozen
class Ask:
    """Call another agent, in the middle of a turn."""

    to: AgentId
    order: Order


# Deeds --------------------------------------------------------------------------------------------


@frozen
class Send:
    """Emit an order to another agent."""

    to: AgentId
    order: Order

    def directive(self, name: str) -> trido.Directive:
        return trido.Emit(self.order.signal(name), to=self.to)


@frozen
class News:
    """Emit an order to whoever subscribed."""

    order: Order

    def directive(self, name: str) -> trido.Directive:
        return trido.Emit(self.order.signal(name, type="news.do"))


@frozen
class Job:
    """Something that takes a while, and may fail."""

    name: str
    delay: float
    fails: bool
    then: Order = Order()


@frozen
class Charge(trido.Directive):
    """A directive of the tests' own."""

    job: Job


@frozen
class Errand:
    """Have an executor do something: one of a directive of its own, or one that sends signals."""

    lane: Literal["charge", "post"]
    delay: float
    fails: bool

    def directive(self, name: str) -> trido.Directive:
        job = Job(name, self.delay, self.fails)
        if self.lane == "charge":
            return Charge(job)
        return trido.Emit(trido.Signal("mail", job), to=trido.Via("post"))


@frozen
class Work:
    """Run an action; the order is what its result says."""

    delay: float
    fails: bool
    then: Order
    told: bool
    """Whether the agent is told what comes of it."""
    once: bool
    """Whether it may not be run again."""

    def directive(self, name: str) -> trido.Directive:
        job = Job(name, self.delay, self.fails, self.then)
        ok, error = ("worked", "failed") if self.told else (None, None)
        delivery: Any = "at_most_once" if self.once else "idempotent"
        return trido.Run(work, job, ok=ok, error=error, delivery=delivery)


@trido.action
async def work(job: Job) -> Order:
    told: Order = await WORKSHOP[-1].run_action(job)
    return told


WORKSHOP: Final[list[Any]] = []
"""Where actions are carried out: the last is the one that is open."""


@frozen
class Later:
    after: float
    key: str | None
    order: Order

    def directive(self, name: str) -> trido.Directive:
        return trido.Schedule(self.after, self.order.signal(name), key=self.key)


@frozen
class EachMinute:
    key: str
    order: Order

    def directive(self, name: str) -> trido.Directive:
        return trido.Cron("* * * * *", self.order.signal(name), self.key)


@frozen
class Forget:
    key: str

    def directive(self, name: str) -> trido.Directive:
        return trido.Cancel(self.key)


@frozen
class Say:
    def directive(self, name: str) -> trido.Directive:
        return trido.Reply(f"said {name}")


@frozen
class Defer:
    def directive(self, name: str) -> trido.Directive:
        return trido.DeferReply()


@frozen
class Answer:
    """Answer the one who has waited longest."""

    def directive(self, name: str) -> trido.Directive:
        raise NotImplementedError("it depends on the state")


@frozen
class Spawn:
    tag: str

    def directive(self, name: str) -> trido.Directive:
        return trido.SpawnAgent(WORKSHOP[-1].apprentice, self.tag, settings={"backoff": BACKOFF})


@frozen
class Dismiss:
    tag: str

    def directive(self, name: str) -> trido.Directive:
        return trido.StopChild(self.tag)


@frozen
class Named(Address):
    """Whoever has this id."""

    name: str

    @property
    def id(self) -> str:
        return self.name


@frozen
class Watch:
    id: AgentId

    def directive(self, name: str) -> trido.Directive:
        return trido.Monitor(Named(self.id))


@frozen
class Quit:
    def directive(self, name: str) -> trido.Directive:
        return trido.Stop()


@frozen
class Unheard(trido.Directive):
    """A directive that nobody knows how to carry out."""


# What a turn decides: pure ------------------------------------------------------------------------


def decide(book: Book, order: Order, name: str, request: str | None) -> tuple[Book, list[Any]]:
    """What an order does to a book, and what it wants done."""
    if order.how == "rejects":
        raise trido.Reject(name)
    if order.how == "ends":
        raise trido.Shutdown(name)
    requests, directives = book.requests, list[Any]()
    for index, deed in enumerate(order.deeds):
        if isinstance(deed, Answer):
            if requests:
                to, *rest = requests
                requests = tuple(rest)
                directives.append(trido.Reply(f"answer {name}.{index}", to=to))
            continue
        if isinstance(deed, Defer) and request is not None:
            requests = (*requests, request)
        directives.append(deed.directive(f"{name}.{index}"))
    if order.how == "asks for what nobody does":
        directives.append(Unheard())
    done: Any = list(book.done) if order.how == "breaks its state" else (*book.done, name)
    return Book(done, requests), directives
