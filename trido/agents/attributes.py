"""Context attributes: how CloudEvents lets them be called, what they may say, and how, as text."""

from __future__ import annotations

import base64
import re
from datetime import UTC, datetime, timedelta
from typing import Final

from trido.agents.errors import InvalidSignal

NAMES: Final = "names of lower-case letters and digits that have no field of their own"
_NAME: Final = re.compile(r"[a-z0-9]+")
_TAKEN: Final = frozenset({"data", "id", "source", "specversion", "time", "type"})

# Nowhere in a text: control characters, surrogates, and what Unicode calls noncharacters.
_PLANES: Final = "".join(rf"\U{plane:04x}fffe\U{plane:04x}ffff" for plane in range(17))
_NOT_TEXT: Final = re.compile(rf"[\x00-\x1f\x7f-\x9f\ud800-\udfff\ufdd0-\ufdef{_PLANES}]")
_TEXT: Final = "text without control characters, surrogates and noncharacters"

_SOMETHING: Final = (re.compile(r".+"), "a non-empty string")
_WORD: Final = r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
_STATE: Final = r"[ \t]*(?:[a-z0-9][a-z0-9_*/@-]{0,255}=[\x20-\x2b\x2d-\x3c\x3e-\x7e]{0,256})?"
_FORMS: Final = {
    **dict.fromkeys(("id", "source", "type", "dataschema", "subject"), _SOMETHING),
    "datacontenttype": (
        re.compile(rf"{_WORD}/{_WORD} *(?:;[\x20-\x7e]*)?"),
        "a media type such as application/json",
    ),
    "traceparent": (
        re.compile(
            r"(?!ff)[0-9a-f]{2}-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}"
            r"(?:-[\x21-\x7e]*)?"  # which later versions may have
        ),
        "a traceparent of W3C Trace Context",
    ),
    "tracestate": (
        re.compile(rf"{_STATE}(?:,{_STATE}){{0,31}}"),
        "a tracestate of W3C Trace Context",
    ),
}

_INTEGERS: Final = range(-(2**31), 2**31)
_VALUES: Final = "a string, a bool, an integer of 32 bits, bytes, or a datetime with a time zone"
_MINUTE: Final = timedelta(minutes=1)

# RFC 3339, which is far less than what datetime reads.
_TIMESTAMP: Final = re.compile(
    r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(?:\.\d+)?(?:[Zz]|[+-]\d\d:\d\d)", re.ASCII
)


def may_be_called(name: object) -> bool:
    """Whether there may be such an attribute, besides those that a `Signal` has fields for.

    CloudEvents asks for no more than 20 characters, but does not insist.
    """
    return isinstance(name, str) and bool(_NAME.fullmatch(name)) and name not in _TAKEN


def rule(name: str, value: object) -> str | None:
    """What the attribute must be, in words, if this is no value for it. None if it is one."""
    if isinstance(value, str):
        return _rule_of_text(name, value)
    if name in _FORMS:
        return _FORMS[name][1]
    if isinstance(value, datetime):
        return None if has_zone(value) else _VALUES
    if isinstance(value, int):
        # A range is searched one by one for what is not quite an int, as a member of an enum.
        return None if int(value) in _INTEGERS else _VALUES
    return None if isinstance(value, bytes) else _VALUES


def _rule_of_text(name: str, text: str) -> str | None:
    if _NOT_TEXT.search(text):
        return _TEXT
    form, words = _FORMS.get(name, (None, None))
    return words if form and not form.fullmatch(text) else None


def has_zone(time: datetime) -> bool:
    """Whether it is a point in time."""
    return time.utcoffset() is not None


def as_text(value: object) -> str:
    """The canonical text of a value that passed `rule`."""
    match value:
        case bool():
            return "true" if value else "false"
        case int():
            return str(int(value))
        case bytes():
            return base64.b64encode(value).decode()
        case datetime():
            return timestamp(value)
    return str(value)


def timestamp(time: datetime) -> str:
    """A point in time, as RFC 3339 writes it. Seconds in the offset, which it cannot, are lost."""
    offset = time.utcoffset()
    if offset is None or offset % _MINUTE:
        time = _in_utc(time)
    text = time.isoformat()
    return f"{text[:-6]}Z" if text.endswith("+00:00") else text


def _in_utc(time: datetime) -> datetime:
    try:
        return time.astimezone(UTC)
    except OverflowError:
        raise InvalidSignal("$.time", "expected a time that can be said in UTC") from None


def read_timestamp(text: object) -> datetime:
    """The point in time that a text names; what is finer than microseconds is cut off.

    Raises:
      InvalidSignal: it names none.
    """
    if isinstance(text, str) and _TIMESTAMP.fullmatch(text):
        try:
            return datetime.fromisoformat(text.upper())
        except ValueError:
            pass
    raise InvalidSignal("$.time", "expected a timestamp of RFC 3339")
