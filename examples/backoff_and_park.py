"""A child that cannot come back yet waits longer and longer, and then rests; the others go on.

Watch for: the first restart is at once, then the delays double. When it would be more than three
restarts within a minute, the printer is parked; the supervisor does not give up. Somebody plugs the
printer in and calls ``restart_child``.

It prints::

     0.0 s  printer starts
     0.0 s  printer starts
     0.0 s  attempt 2 in 2 s
     2.0 s  printer starts
     2.0 s  attempt 3 in 4 s
     6.0 s  printer starts
     6.0 s  parked
    10.0 s  printer starts
    10.0 s  printer prints
    <trido.Child 'printer' running, run 5>
    <trido.Child 'phone' running, run 1>
"""

import logging

import trio

import trido
from trido import events

plugged_in = False
started = 0.0


def say(text: str) -> None:
    print(f"{trio.current_time() - started:4.1f} s  {text}")


async def printer() -> None:
    say("printer starts")
    if not plugged_in:
        raise ConnectionError("no printer there")
    say("printer prints")
    await trio.sleep_forever()


async def phone() -> None:
    await trio.sleep_forever()


def on_event(event: events.Event) -> None:
    match event:
        case events.RetryScheduled(attempt=attempt, delay=delay):
            say(f"attempt {attempt} in {delay:g} s")
        case events.ChildParked():
            say("parked")
        case _:
            pass


async def main() -> None:
    global plugged_in, started  # noqa: PLW0603
    logging.getLogger("trido").setLevel(logging.CRITICAL)  # it says the same, in words
    started = trio.current_time()
    backoff = trido.Backoff(min=2.0, factor=2.0)
    async with trido.open_supervisor(
        trido.ChildSpec(printer, backoff=backoff, on_limit="park"),
        trido.ChildSpec(phone),
        id="office",
        max_restarts=3,
        max_seconds=60.0,
        observers=[on_event],
    ) as sup:
        await trio.sleep(10)
        plugged_in = True
        await sup.restart_child("printer")
        await trio.sleep(0.1)
        print(sup["printer"], sup["phone"], sep="\n")


if __name__ == "__main__":
    trido.run(main)
