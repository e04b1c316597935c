"""The plainest value there is, found the same way every time."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import hypothesis
from hypothesis import Phase
from hypothesis import strategies as st

T = TypeVar("T")
SEARCH = hypothesis.settings(
    max_examples=400,
    database=None,
    derandomize=True,
    phases=[Phase.generate, Phase.shrink],
)


def find(drawn: st.SearchStrategy[T], wanted: Callable[[T], Any]) -> T:
    return hypothesis.find(drawn, wanted, settings=SEARCH)
