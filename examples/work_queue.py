"""A bounded queue of work: who asks gets the answer when it is done, or a no at once.

The queue is an agent, and its workers are too. A caller is not answered by the turn that takes its
job, but by a later one: `DeferReply` now, and a `Reply` to ``turn.request`` then. The request is a
string, so it waits in the state.

Watch for: two work, three wait, and the sixth is told no at once instead of waiting in vain. One
caller gives up; its job is done all the same, and nobody is there to hear of it. A job that fails
comes back as an error to the one who asked for it, and the queue goes on.

It prints::

    0.0 s  Fay: no: the queue is full
    1.0 s  Ann: 6 words
    1.0 s  Bo: failed: ValueError('nothing to count')
    1.5 s  Cem: gave up
    2.0 s  Dee: 4 words
    3.0 s  Eve: 3 words
    Queue(at_work=0, waiting=())
"""

from __future__ import annotations

import trio
from attrs import evolve, frozen

import trido

# Jobs ---------------------------------------------------------------------------------------------


@frozen
class Job:
    words: str
    request: str | None = None


@frozen
class Done:
    request: str | None
    result: str


@trido.action("words.count", timeout=10.0)
async def count(job: Job) -> Done:
    await trio.sleep(1.0)
    if not job.words:
        raise ValueError("nothing to count")
    return Done(job.request, f"{len(job.words.split())} words")


# The queue ----------------------------------------------------------------------------------------

WORKERS = 2
ROOM = 3


@frozen
class Queue:
    at_work: int = 0
    waiting: tuple[Job, ...] = ()


queue = trido.Agent("queue", state=Queue, recover="committed")


@queue.on("job")
def take(state: Queue, words: str, turn: trido.Turn) -> trido.Decision[Queue]:
    job = Job(words, turn.request)
    if state.at_work < WORKERS:
        return evolve(state, at_work=state.at_work + 1), [trido.DeferReply(), begin(job)]
    if len(state.waiting) == ROOM:
        raise trido.Reject("the queue is full")
    return evolve(state, waiting=(*state.waiting, job)), [trido.DeferReply()]


@queue.on("job.done")
def done(state: Queue, data: Done) -> trido.Decision[Queue]:
    return next_one(state, trido.Reply(data.result, to=data.request))


@queue.on("job.failed")
def failed(state: Queue, why: trido.RunFailed) -> trido.Decision[Queue]:
    return next_one(state, trido.Reply(f"failed: {why.error}", to=why.params.request))


def begin(job: Job) -> trido.Run:
    return trido.Run(count, job, ok="job.done", error="job.failed")


def next_one(state: Queue, answer: trido.Reply) -> trido.Decision[Queue]:
    if not state.waiting:
        return evolve(state, at_work=state.at_work - 1), [answer]
    job, *rest = state.waiting
    return evolve(state, waiting=tuple(rest)), [answer, begin(job)]


# Those who ask ------------------------------------------------------------------------------------


async def ask(ref: trido.AgentRef[Queue], name: str, words: str, patience: float) -> None:
    began = trio.current_time()
    answer = "gave up"
    with trio.move_on_after(patience):
        try:
            answer = await ref.call(take.signal(words))
        except trido.Reject as no:
            answer = f"no: {no}"
    print(f"{trio.current_time() - began:.1f} s  {name}: {answer}")


async def main() -> None:
    async with trido.open_runtime() as rt:
        ref = await rt.start_agent(queue, id="queue")
        async with trio.open_nursery() as nursery:
            for name, words, patience in (
                ("Ann", "to be or not to be", 9.0),
                ("Bo", "", 9.0),
                ("Cem", "that is the question", 1.5),
                ("Dee", "whether it is nobler", 9.0),
                ("Eve", "in the mind", 9.0),
                ("Fay", "to suffer", 9.0),
            ):
                nursery.start_soon(ask, ref, name, words, patience)
                await trio.sleep(0.01)
        print(ref.state())


if __name__ == "__main__":
    trido.run(main)
