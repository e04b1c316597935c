"""Patterns of signal types, and which of many fit a type. Agent routes and the bus share them.

A pattern is made of segments (letters, digits, ``_`` and ``-``) joined by dots. A segment may also
be ``*``, which stands for exactly one segment, or ``**``, which stands for any number of them, also
none. A signal's type may be any text; a wildcard takes whatever stands between its dots.

Of the patterns that fit one type, the closer comes first:

1. a pattern without wildcards, then those that have only ``*``, then those that have a ``**``;
2. of two alike in that, read both from the left, to the first segment in which they differ in kind:
   a name comes before ``*``, that before the pattern's end, and that before ``**``;
3. then the higher priority;
4. then whichever was added first.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from itertools import pairwise
from typing import Final, Generic, TypeAlias, TypeGuard, TypeVar, final

T = TypeVar("T")

GRAMMAR: Final = (
    "segments of letters, digits, _ and -, joined by dots; a segment may also be * or **"
)

_SEGMENT: Final = r"(?:[A-Za-z0-9_-]+|\*\*?)"
_PATTERN: Final = re.compile(rf"{_SEGMENT}(?:\.{_SEGMENT})*")

REMEMBERED: Final = 1024
"""Of how many types the answer is kept, apart from those that a pattern names."""
LONGEST: Final = 256
"""No answer is kept for a type with more characters: it would take memory."""

Rank: TypeAlias = tuple[int, tuple[int, ...]]
_Place: TypeAlias = tuple[Rank, int, int]
"""Where an item stands: its pattern's rank, less its priority, its number."""


def is_pattern(value: object) -> TypeGuard[str]:
    """Whether this is a pattern."""
    return isinstance(value, str) and _PATTERN.fullmatch(value) is not None


def is_exact(pattern: str) -> bool:
    """Whether a pattern fits one type only: the one it spells."""
    return "*" not in pattern


def rank(pattern: str) -> Rank:
    """How close a pattern is, apart from priorities: the lower comes first."""
    kinds = [_KINDS.get(segment, _NAME) for segment in pattern.split(".")]
    return max(kinds), (*kinds, _END)


_NAME: Final = 0
_END: Final = 2
_KINDS: Final = {"*": 1, "**": 3}


@final
class Index(Generic[T]):
    """Items, which are hashable, under patterns: those that fit a type, the closest first.

    A type that a pattern spells is one look-up in a dictionary, however many patterns there are.
    So is any other that was asked for lately: answers are kept, a bounded number of them, until
    an item comes or goes.
    """

    __slots__ = ("_added", "_answers", "_exact", "_wild")

    def __init__(self) -> None:
        self._exact: dict[str, dict[T, _Place]] = {}
        self._wild: _Node[T] = _Node()
        self._answers: dict[str, tuple[T, ...]] = {}
        self._added = 0

    def add(self, pattern: str, item: T, priority: int = 0) -> None:
        """Put an item under a pattern, where it is not yet."""
        self._added += 1
        place = rank(pattern), -priority, self._added
        if is_exact(pattern):
            self._exact.setdefault(pattern, {})[item] = place
        else:
            self._wild.grow(pattern.split(".")).items[item] = place
        self._answers.clear()

    def remove(self, pattern: str, item: T) -> None:
        """Take an item away from a pattern. Raises `KeyError` if it is not there."""
        if is_exact(pattern):
            items = self._exact[pattern]
            del items[item]
            if not items:
                del self._exact[pattern]
        else:
            self._wild.prune(pattern.split("."), item)
        self._answers.clear()

    def match(self, type: str) -> tuple[T, ...]:
        """The items whose patterns fit this type, the closest first.

        An item that is under several patterns that fit comes once, where the closest puts it.
        """
        answer = self._answers.get(type)
        return self._find(type) if answer is None else answer

    def _find(self, type: str) -> tuple[T, ...]:
        found = [(place, item) for item, place in self._exact.get(type, {}).items()]
        found += [(place, item) for items in self._wild.fit(type) for item, place in items.items()]
        found.sort(key=_by_place)
        answer = tuple(dict.fromkeys(item for _, item in found))
        if type in self._exact or len(type) <= LONGEST:
            self._remember(type, answer)
        return answer

    def _remember(self, type: str, answer: tuple[T, ...]) -> None:
        if len(self._answers) >= REMEMBERED + len(self._exact):
            self._answers.clear()
        self._answers[type] = answer


def _by_place(found: tuple[_Place, object]) -> _Place:
    return found[0]


class _Node(Generic[T]):
    """Where patterns that begin alike part: a segment, and what may follow it."""

    __slots__ = ("items", "next", "repeats")

    def __init__(self, segment: str = "") -> None:
        self.repeats = segment == "**"
        self.next: dict[str, _Node[T]] = {}
        self.items: dict[T, _Place] = {}
        """What stands under the pattern that ends here."""

    def grow(self, segments: Iterable[str]) -> _Node[T]:
        """The node at the end of this path, made if need be."""
        node = self
        for segment in segments:
            node = node.next.get(segment) or node.next.setdefault(segment, _Node(segment))
        return node

    def prune(self, segments: list[str], item: T) -> None:
        """Take an item from the end of this path, and with it the nodes that lead nowhere else."""
        path: list[_Node[T]] = [self]
        for segment in segments:
            path.append(path[-1].next[segment])
        del path[-1].items[item]
        steps = zip(pairwise(path), segments, strict=True)
        for (before, node), segment in reversed(list(steps)):
            if node.items or node.next:
                break
            del before.next[segment]

    def fit(self, type: str) -> list[dict[T, _Place]]:
        """What stands under each pattern that fits this type."""
        nodes = _with_empty_repeats([self])
        for segment in type.split("."):
            nodes = _with_empty_repeats(_step(nodes, segment))
        return [node.items for node in nodes]


def _step(nodes: Iterable[_Node[T]], segment: str) -> Iterable[_Node[T]]:
    """Where one more segment of a type leads to."""
    for node in nodes:
        if node.repeats:
            yield node
        for way in (segment, "*"):
            if way in node.next:
                yield node.next[way]


def _with_empty_repeats(nodes: Iterable[_Node[T]]) -> dict[_Node[T], None]:
    """These, each once, and what follows them by a ``**`` that stands for nothing."""
    reached: dict[_Node[T], None] = {}
    for node in nodes:
        found: _Node[T] | None = node
        while found is not None and found not in reached:
            reached[found] = None
            found = found.next.get("**")
    return reached
