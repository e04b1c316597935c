"""Payments are tried again: at once by the action, and later by whoever reads the dead letters.

The action says after which errors it is tried again, and how often. If that does not help, the
agent crashes, for there is nothing better it could do: the payment becomes a dead letter, and the
next run goes on with the next payment. Every ten seconds a reprocessor sends such letters again.

Watch for: the agent never hears of the troubles with payment 1. Those with payment 2 last longer;
it is booked after the others, but it is booked, and what was paid before is not forgotten. A card
that is refused is an answer, not a trouble: it is not tried again, neither at once nor later.

It prints::

    no answer for payment-1
    booked: payment-1
    no answer for payment-2
    no answer for payment-2
    no answer for payment-2
    booked: payment-3
    again: Signal('payment', Payment(id='payment-2', card='valid'))
    booked: payment-2
    paid in run 2: payment-1, payment-3, payment-2
    not paid: Signal('payment', Payment(id='payment-4', card='expired')), the card has expired
"""

from __future__ import annotations

from collections import Counter
from typing import Final, Literal

import trio
from attrs import evolve, frozen

import trido


@frozen
class Payment:
    id: str
    card: Literal["valid", "expired"] = "valid"


@frozen
class Ledger:
    paid: tuple[str, ...] = ()


# The world outside --------------------------------------------------------------------------------


class Bank:
    """It does not always answer. What it has booked it does not book again."""

    def __init__(self) -> None:
        self.troubles = Counter({"payment-1": 1, "payment-2": 3})
        self.booked = set[str]()

    async def book(self, payment: Payment) -> None:
        await trio.sleep(0.1)
        if self.troubles[payment.id]:
            self.troubles[payment.id] -= 1
            print("no answer for", payment.id)
            raise ConnectionError("the bank does not answer")
        if payment.card == "expired":
            raise trido.Reject("the card has expired")
        self.booked.add(payment.id)
        print("booked:", payment.id)


bank: Final = Bank()


# The agent ----------------------------------------------------------------------------------------

THREE_TIMES: Final = trido.Retry(3, on=ConnectionError, backoff=trido.Backoff(min=1.0))

payments = trido.Agent("payments", state=Ledger, recover="committed")


@trido.action("bank.charge", retry=THREE_TIMES)
async def charge(payment: Payment) -> None:
    await bank.book(payment)


@payments.on("payment")
async def pay(state: Ledger, payment: Payment) -> trido.Decision[Ledger]:
    await trido.run_action(charge, payment)
    return evolve(state, paid=(*state.paid, payment.id))


# The reprocessor ----------------------------------------------------------------------------------


async def reprocess(letters: trido.DeadLetters) -> None:
    while True:
        await trio.sleep(10)
        for letter in letters:
            if isinstance(letter.reason, trido.AgentCrashed):
                print("again:", letter.signal)
                await letters.resend(letter)


async def main() -> None:
    async with trido.open_runtime() as rt:
        ref = await rt.start_agent(payments, id="payments")
        reprocessor = trido.ChildSpec(reprocess, rt.dead_letters)
        async with trido.open_supervisor(reprocessor):
            for number in (1, 2, 3):
                await ref.cast(pay.signal(Payment(f"payment-{number}")))
            await ref.cast(pay.signal(Payment("payment-4", card="expired")))
            ledger = await ref.wait_for(lambda ledger: "payment-2" in ledger.paid)
        print(f"paid in run {ref.incarnation}: {', '.join(ledger.paid)}")
        for letter in ref.dead_letters:
            print(f"not paid: {letter.signal}, {letter.reason}")


if __name__ == "__main__":
    trido.run(main)
