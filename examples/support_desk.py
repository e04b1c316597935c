"""A support desk: two agents under one supervisor, and not a line of recovery code.

An online shop gets tickets and invoices. ``support_agent`` answers the tickets, ``billing_agent``
books the invoices. The code below says only what they do when all is well. It has bugs, as code
has, and some tickets find them. Nothing here catches anything, retries anything or looks after
anybody: that is the supervisor's job, and its rules are three lines of data in ``desk``.

    python examples/support_desk.py      a few letters, by hand
    python -m trido demo                 a whole day of them, some of them bad, and a live view
    python -m trido demo --durable FILE  the same; kill -9 it, and begin it again: it goes on

Watch for: a ticket in Greek ends a run of the support agent. The next run goes on with the ticket
that waited behind it, and what was answered before is not forgotten. Billing never notices.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Final, Literal

from attrs import evolve, frozen

import trido

# 1. What the agents are sent ---------------------------------------------------------------------
#
# Frozen classes. trido checks what comes in against them before a handler sees it: a field that is
# missing, unknown or of another type is refused by name, and the agent lives on.


@frozen
class Ticket:
    id: str
    at: datetime
    customer: str
    text: str
    priority: str = "normal"


@frozen
class Item:
    product: str
    quantity: int
    price: Decimal


@frozen
class Invoice:
    id: str
    at: datetime
    customer: str
    items: tuple[Item, ...]
    total: Decimal


# 2. What they remember ---------------------------------------------------------------------------
#
# Also frozen, and every field has a default: an agent begins with Desk(), or with Books().


@frozen
class Desk:
    answered: int = 0
    angry: int = 0
    latest: str | None = None
    next_due: datetime | None = None


@frozen
class Books:
    booked: int = 0
    revenue: Decimal = Decimal(0)


# 3. The support agent ----------------------------------------------------------------------------
#
# A handler takes the state and what it was sent, and returns the new state. It is a plain function:
# `answer(Desk(), ticket)` works anywhere, without anything running. After a crash the next run
# begins with the last state that was returned: recover="committed".

support_agent = trido.Agent("support_agent", state=Desk, mailbox=100, recover="committed")

SHOUTING: Final = 0.5
HOURS: Final = {"low": 72, "normal": 24, "high": 4}

ANSWERS: Final = {
    "delivery": "Where is my order? The tracking page of the parcel has not changed.",
    "defect": "The product stopped working, is broken, or makes a noise.",
    "return": "I would like to return or cancel my order.",
    "invoice": "I was charged twice, or the invoice is wrong. Please refund or correct it.",
    "question": "How do I use the product? Does it come with a warranty?",
}


@support_agent.on("ticket")
def answer(state: Desk, ticket: Ticket) -> trido.Decision[Desk]:
    return evolve(
        state,
        answered=state.answered + 1,
        angry=state.angry + is_shouted(ticket.text),
        latest=f"{best_answer(ticket.text)} {order_number(ticket.text)}",
        next_due=due(ticket, state.next_due),
    )


def is_shouted(text: str) -> bool:
    """Mostly in capitals? Nobody thought of customers who write Greek, or just 😡."""
    words: list[str] = re.findall(r"[A-Za-z]+", text)
    return sum(word.isupper() for word in words) / len(words) > SHOUTING


def order_number(text: str) -> int | None:
    """The order it is about. Nobody thought of a "#" with nothing behind it."""
    _, mark, rest = text.partition("order #")
    return int(re.split(r"\D", rest)[0]) if mark else None


def due(ticket: Ticket, other: datetime | None) -> datetime:
    """When the first answer is due. Nobody thought of other priorities."""
    mine = ticket.at + timedelta(hours=HOURS[ticket.priority])
    return mine if other is None else min(mine, other)


def best_answer(text: str) -> str:
    """The standard answer that fits best. Nobody thought of how long this takes for an essay."""

    def likeness(topic: str) -> float:
        return difflib.SequenceMatcher(None, text, ANSWERS[topic], autojunk=False).ratio()

    return max(ANSWERS, key=likeness)


# 4. The billing agent ----------------------------------------------------------------------------
#
# It shares a supervisor with the support agent, and nothing else.

billing_agent = trido.Agent("billing_agent", state=Books, mailbox=100, recover="committed")


@billing_agent.on("invoice")
def book(state: Books, invoice: Invoice) -> trido.Decision[Books]:
    total = sum((item.price * item.quantity for item in invoice.items), Decimal(0))
    if total != invoice.total:
        # An expected "no": whoever asked is told why, the state stays, the agent lives.
        raise trido.Reject(f"the items come to {total}, not {invoice.total}")
    return evolve(state, booked=state.booked + 1, revenue=state.revenue + total)


# 5. The supervisor -------------------------------------------------------------------------------
#
# Everything about recovery is here, and it is data.

Strategy = Literal["one_for_one", "one_for_all", "rest_for_one"]


def desk(
    strategy: Strategy = "one_for_one",
    max_restarts: int = 30,
    runtime: trido.Runtime | None = None,
) -> trido.SupervisorSpec:
    # A crashed agent is started again at once, and if it has crashed before, after a breath.
    breath = trido.Backoff(min=0.05, factor=1)
    # With a runtime that has a journal, what they remember survives the end of the process.
    durability: Literal["none", "sync"] = "none" if runtime is None else "sync"
    return trido.SupervisorSpec(
        support_agent.spec(id="support", backoff=breath, runtime=runtime, durability=durability),
        billing_agent.spec(id="billing", backoff=breath, runtime=runtime, durability=durability),
        id="desk",
        strategy=strategy,
        max_restarts=max_restarts,
        max_seconds=5.0,
    )


AGENTS: Final = (support_agent, billing_agent)

# Which of them a letter is for, by its kind.
ADDRESSES: Final[Mapping[str, str]] = {"ticket": "support", "invoice": "billing"}


# 6. A few letters by hand ------------------------------------------------------------------------


async def main() -> None:
    at = datetime.fromisoformat("2026-03-02T09:00:00Z")
    async with trido.open_supervisor(spec=desk()) as sup:
        support, billing = sup["support"].value, sup["billing"].value

        await support.cast(trido.Signal("ticket", Ticket("T-1", at, "Ada", "Where is order #7?")))
        await support.cast(trido.Signal("ticket", Ticket("T-2", at, "Eleni", "Δεν ανάβει.")))
        state = await support.call(trido.Signal("ticket", Ticket("T-3", at, "Bo", "IT SMELLS!")))
        print(f"support: run {support.incarnation}, answered {state.answered}")
        for letter in support.dead_letters:
            print(f"  not {letter.signal.data.id}: {letter.reason.__cause__!r}")

        kettle = Item("Kettle", 2, Decimal("49.90"))
        books = await billing.call(
            book.signal(Invoice("I-1", at, "Ada", (kettle,), Decimal("99.80")))
        )
        print(f"billing: run {billing.incarnation}, revenue {books.revenue}")


if __name__ == "__main__":
    trido.run(main)
