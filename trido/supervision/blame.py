"""What an exception says: single ones and groups alike. Pure."""

from __future__ import annotations

from collections.abc import Iterator


def leaves(error: BaseException | None) -> Iterator[BaseException]:
    """Every exception in ``error`` that is not a group; itself, if it is none."""
    if isinstance(error, BaseExceptionGroup):
        for one in error.exceptions:
            yield from leaves(one)
    elif error is not None:
        yield error


def all_are(types: tuple[type[Exception], ...], error: BaseException | None) -> bool:
    """Whether ``error``, or everything in it, is of these types."""
    return error is not None and (
        isinstance(error, types) or all(isinstance(one, types) for one in leaves(error))
    )


def any_is(types: tuple[type[Exception], ...], error: BaseException | None) -> bool:
    """Whether ``error``, or anything in it, is of these types."""
    return error is not None and (
        isinstance(error, types) or any(isinstance(one, types) for one in leaves(error))
    )
