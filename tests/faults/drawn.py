"""The orders that Hypothesis thinks of."""

from __future__ import annotations

from typing import Any

from attrs import evolve
from hypothesis import strategies as st

from tests.faults.orders import (
    ADDRESSES,
    IDS,
    KEYS,
    TAGS,
    Answer,
    Ask,
    Defer,
    Dismiss,
    EachMinute,
    Errand,
    Forget,
    Later,
    News,
    Order,
    Quit,
    Say,
    Send,
    Spawn,
    Watch,
    Work,
)

SECONDS = st.sampled_from([0.0, 0.5, 3.0])
SELDOM = st.integers(0, 5).map(lambda n: n == 5)
CRASHES = st.sampled_from([0, 0, 0, 0, 0, 1, 1, 2, 3])
HOW: st.SearchStrategy[Any] = st.sampled_from(
    ["", "", "", "", "", "", "rejects", "breaks its state", "asks for what nobody does"]
)


def _orders(deeds: st.SearchStrategy[Any], waits: st.SearchStrategy[Any]) -> Any:
    quick = st.builds(Order, st.lists(deeds, max_size=2).map(tuple), crashes=CRASHES, how=HOW)
    slow = st.builds(
        Order,
        st.lists(deeds, max_size=2).map(tuple),
        st.lists(waits, min_size=1, max_size=2).map(tuple),
        crashes=CRASHES,
        at=st.integers(0, 1),
        how=HOW,
        finishes=SELDOM,
    )
    return st.one_of(quick, quick, slow)


_ERRANDS = st.builds(Errand, st.sampled_from(["charge", "post"]), SECONDS, SELDOM)
_SIMPLE = st.one_of(
    _ERRANDS,
    st.builds(Forget, st.sampled_from(KEYS)),
    st.just(Say()),
    st.just(Answer()),
)
_LEAVES = _orders(_SIMPLE, SECONDS)


def _deeds(orders: Any) -> st.SearchStrategy[Any]:
    to = st.sampled_from(ADDRESSES)
    keys = st.sampled_from(KEYS)
    return st.one_of(
        _SIMPLE,
        st.builds(Send, to, orders),
        st.builds(Send, st.sampled_from(IDS), orders),
        st.builds(News, orders),
        st.builds(Work, SECONDS, SELDOM, orders, st.booleans(), st.booleans()),
        st.builds(Later, st.sampled_from([0.0, 1.0, 4.0, 9.0]), st.none() | keys, orders),
        st.builds(EachMinute, keys, orders),
        st.just(Defer()),
        st.builds(Spawn, st.sampled_from(TAGS)),
        st.builds(Dismiss, st.sampled_from(TAGS)),
        st.builds(Watch, st.sampled_from(ADDRESSES[:7])),
        SELDOM.map(lambda yes: Quit() if yes else Say()),
    )


_TWIGS = _orders(_deeds(_LEAVES), SECONDS | st.builds(Ask, st.sampled_from(IDS), _LEAVES))
_BRANCHES = _orders(_deeds(_TWIGS), SECONDS | st.builds(Ask, st.sampled_from(IDS), _TWIGS))


@st.composite
def an_order(draw: st.DrawFn) -> Order:
    """Hypothesis writes out what this is made of, if it is not hidden like that."""
    order: Order = draw(_BRANCHES)
    return evolve(order)  # else it is written as the calls it was drawn by


@st.composite
def an_errand(draw: st.DrawFn) -> Order:
    """An order that does not fail, of one kind of deed."""
    deed = draw(_deeds(_LEAVES))
    return Order((deed,) * draw(st.integers(1, 3)))


@st.composite
def some_lane_work(draw: st.DrawFn) -> Order:
    """What executors are to do, one after the other."""
    errands = draw(st.lists(_ERRANDS, min_size=1, max_size=3))
    return Order(tuple(errands))


LANE_WORK = some_lane_work()
ORDERS = an_order()
ERRANDS = an_errand()
