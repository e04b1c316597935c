"""What holds whenever nothing moves, once everything is done, and in the end."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import trio
from attrs import Factory, define

import trido
from tests.faults.names import is_deferred
from tests.faults.records import Account, Parcel

if TYPE_CHECKING:
    from tests.faults.office import Office


@define(eq=False)
class Watched:
    """A run that somebody outside monitors."""

    id: str
    ref: Any
    place: Any
    incarnation: int
    had_run: bool
    handle: Any
    told: list[trido.Down] = Factory(list)

    async def wait(self) -> None:
        self.told.append(await self.handle.wait())


@define(eq=False)
class Witness:
    """Somebody who waits for a state that never comes, and sees all the others."""

    account: Account
    place: Any
    begun: int = -1
    seen: dict[int, str] = Factory(dict)

    def asks(self, book: Any) -> bool:
        revision = self.place.status().revision
        if self.begun < 0:
            self.begun = revision
        elif book.done:  # else a new run begins
            self.seen[revision] = book.done[-1]
        return False


def at_rest(office: Office) -> None:
    """What holds whenever nothing moves."""
    ledger = office.ledger
    for ref in office.rt.agents():
        ledger.account(ref.place)
    lives = {ref.status().state for ref in office.rt.agents()}
    # A supervisor hears of nothing else while it starts or stops one of its children.
    deaf = bool(lives & {"starting", "stopping", "restarting"})
    for place, account in ledger.accounts.items():
        check_agent(place, account, deaf=deaf)
    for watched in office.monitors:
        check_monitor(watched, deaf=deaf)
    check_children(office)


def check_agent(place: Any, account: Account, *, deaf: bool) -> None:
    if account.ended:
        return
    ref, status = place.ref, place.status()
    assert status.revision == account.revision, f"{account}: {status}"
    assert status.incarnation >= account.incarnation, f"{account}: {status}"
    if not account.parent:
        most = account.first + account.crashes + account.revived
        assert status.incarnation <= most, f"{account} was restarted without a cause"
    check_life(ref, account, status)
    # What awaits takes its time to end; so does what is still to be done after a `Stop`.
    winds_up = place.has_run and place.run.phase == "closing" and status.outbox
    quick = not (deaf or account.alive or status.children or status.runs or winds_up)
    if quick and status.state == "running":
        assert status.incarnation not in account.crashed, f"{account} has survived its crash"


def check_life(ref: Any, account: Account, status: Any) -> None:
    begun = status.incarnation > account.incarnation
    book = type(account.book)() if begun and account.is_fresh else account.book
    assert ref.state() == book, f"{account} has {ref.state()}, not {book}"
    assert status.queued <= account.role.mailbox + 1 or account.parent, f"{account}: {status}"


def check_monitor(watched: Watched, *, deaf: bool) -> None:
    """It is told once, when the run has ended."""
    assert watched.handle.down is (watched.told[0] if watched.told else None), watched
    if watched.ref.place is not watched.place:
        assert len(watched.told) == 1, watched
        return
    over = not watched.had_run or watched.ref.incarnation > watched.incarnation
    over = over or watched.ref.status().state not in ("running", "starting", "stopping")
    assert len(watched.told) == over or deaf, f"{watched}: {watched.ref.status()}"
    if watched.told:
        assert watched.told[0].incarnation == watched.incarnation, watched
        assert (watched.told[0].reason == "noproc") == (not watched.had_run), watched


def check_children(office: Office) -> None:
    """An agent that begins anew has only the children it has spawned since."""
    alive = {ref.id: ref for ref in office.rt.agents()}
    for account in office.ledger.accounts.values():
        if account.parent is None and not account.ended and account.id in alive:
            check_children_of(account, alive[account.id].status(), alive)


def check_children_of(account: Account, status: Any, alive: Any) -> None:
    children = {id.rpartition("/")[2] for id in alive if id.rpartition("/")[0] == account.id}
    if status.state != "running" or status.outbox:
        return
    # What an earlier run was to do, and did not come to, this one has done.
    for tag in account.owed & children:
        account.spawned[tag] = status.incarnation
    account.owed.clear()
    fresh = account.is_fresh
    mine = {tag for tag, run in account.spawned.items() if not fresh or run == status.incarnation}
    assert children <= mine, f"{account} has {children - mine} of another run"


# Once everything is done --------------------------------------------------------------------------


def unsettled(office: Office) -> list[Any]:
    """What is still to come."""
    found: list[Any] = [one for one in office.ledger.parcels.values() if is_open(one)]
    tasks = [task for _, task in office.ledger.tasks.values()]
    found += [one for one in tasks if one.begun > len(one.ended)]
    for ref in office.rt.agents():
        status = ref.status()
        life = status.state in ("running", "parked", "stopped")
        left = [status.queued, status.waiting, status.outbox, status.runs]
        if status.state == "parked":
            del left[2:]  # that is for whoever revives it
        if not life or any(left):
            found.append(status)
    return found


def is_open(parcel: Parcel) -> bool:
    return not parcel.fates


def when_calm(office: Office) -> None:
    """Nobody has anything left to do."""
    ledger, now = office.ledger, office.now()
    for account, task in ledger.tasks.values():
        check_task(account, task)
    for news in ledger.news.values():
        check_news(office, news)
    for timer in ledger.timers.values():
        account, _ = ledger.timed[timer.name]
        # What a crash by a bad decision drops, only the next run shows.
        anew = account.is_fresh and account.latest > timer.set_in
        may = timer.gone or timer.dropped_at or anew or account.ended or account.ever_parked
        overdue = timer.due is not None and timer.due < now
        assert may or timer.fired or not overdue, f"{timer} of {account} never fired"
    for place, account in ledger.accounts.items():
        check_requests(office, place, account)
        check_spawned(office, place, account)
    for witness in office.witnesses:
        check_witness(witness)


def check_task(account: Account, task: Any) -> None:
    """It was done once, or something tells why not."""
    if task.name in account.jobs:
        forgotten = account.latest > task.committed_in and account.is_fresh
        ended = account.ended or account.ever_parked
        done = task.ended[-1:] in (["done"], ["failed"]) or task.reported
        crashed_since = task.committed_in in account.crashed and account.is_fresh
        assert done or forgotten or crashed_since or ended, f"{task} of {account} was lost"
    else:
        assert task.ended or task.reported, f"{task} of {account} was lost"
        told = task.reported or account.ended
        assert told or not task.fails, f"nobody was told that {task} of {account} failed"


def check_news(office: Office, news: Any) -> None:
    if news.lettered or news.publisher.ended:
        return
    for account in news.wanted:
        parcel = office.ledger.parcels.get(f"{news.name}>{account.id}")
        assert parcel is not None or account.ended, f"{account} has not got {news.name}"


def check_requests(office: Office, place: Any, account: Account) -> None:
    status = place.status()
    assert status.late_replies == account.replies - account.heard, f"{account}: {status}"
    waiting = [
        one
        for one in office.ledger.parcels.values()
        if one.account is account and one.is_call and not one.outcomes
    ]
    assert all(is_deferred(one) for one in waiting), f"{account}: {waiting} wait in vain"
    assert status.requests == len(waiting), f"{account}: {status}, {waiting}"


def check_spawned(office: Office, place: Any, account: Account) -> None:
    """What goes on has its children still."""
    status = place.status()
    if account.ended or status.state != "running" or account.parent:
        return
    for tag, run in account.spawned.items():
        if account.is_fresh and status.incarnation > run:
            continue
        child = office.ledger.known(f"{account.id}/{tag}")
        quit = any(one.asked_to_end < trio.current_time() for one in child)
        there = office.rt.find(f"{account.id}/{tag}") is not None
        assert there or quit, f"{account} has lost its child {tag} of run {run}"


def check_witness(witness: Witness) -> None:
    """It has seen every state in order."""
    commits = witness.account.commits if witness.begun >= 0 else []
    wanted = [one for one in commits if one[0] > witness.begun]
    seen = [one for one in witness.seen.items() if one[0] > witness.begun]
    assert seen == wanted, f"{witness} missed some of {wanted}"


def when_over(office: Office) -> None:
    """It has ended: everything has come to one end, and nothing is left."""
    ledger = office.ledger
    for parcel in ledger.parcels.values():
        twice = parcel.order.finishes and parcel.fates[:1] == ["cancelled"]
        assert len(parcel.fates) == 1 or (twice and len(parcel.fates) == 2), parcel
        assert len(parcel.outcomes) == parcel.is_call, f"{parcel} ended not once"
    for account, task in ledger.tasks.values():
        assert task.begun == len(task.ended), f"{task} of {account} goes on"
    for place, account in ledger.accounts.items():
        assert account.ended or place.has_ended, f"{account} lives"
        assert not account.alive, f"a lifespan of {account} was not left"
        assert not account.serving, f"{account} is in a turn"
        buried = place.status().dead_letters
        assert buried >= 0
    total = sum(place.status().dead_letters for place in ledger.accounts)
    assert total == ledger.letters, "dead letters are counted wrongly"
