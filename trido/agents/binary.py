"""CloudEvents over HTTP: the binary mode, in which attributes are headers and the body is the data.

Headers say no more of a value than its text: what was an integer or a bool comes back as a string.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any, Final
from urllib.parse import quote, unquote_to_bytes

from trido.agents import attributes as rules
from trido.agents import cloudevents, jsontext
from trido.agents.cloudevents import Event
from trido.agents.errors import InvalidSignal
from trido.agents.plain import plain

Headers = Mapping[str, str] | Iterable[tuple[str | bytes, str | bytes]]
"""As a mapping, or in pairs, as servers have them."""

_TYPE: Final = "content-type"
_PREFIX: Final = "ce-"
_STRUCTURED: Final = "application/cloudevents+json"
_BATCH: Final = "application/cloudevents-batch"
_EVENTS: Final = "application/cloudevents"

# Of printable ASCII, all but the quote and the percent sign.
_AS_IT_IS: Final = "".join(map(chr, range(0x21, 0x7F))).replace('"', "").replace("%", "")
_PRINTABLE: Final = re.compile(r"[\t\x20-\x7e]*")
_QUOTED: Final = re.compile(r'"((?:[^"\\]|\\.)*)"')
_CHARSET: Final = re.compile(r';\s*charset\s*=\s*"?([^\s";]+)', re.IGNORECASE)
_UTF_8: Final = frozenset({"utf-8", "utf8", "us-ascii"})


def write(attributes: Mapping[str, Any], data: object) -> tuple[dict[str, str], bytes]:
    """The headers and the body of an event. Raises `InvalidSignal`."""
    cloudevents.check_complete(attributes)
    content_type = attributes.get("datacontenttype")
    implied, body = _body(content_type, data)
    headers = {f"{_PREFIX}specversion": cloudevents.VERSION}
    for name, value in attributes.items():
        if value is not None and name != "datacontenttype":
            headers[_PREFIX + name] = quote(rules.as_text(value), safe=_AS_IT_IS)
    if content_type or implied:
        headers[_TYPE] = content_type or implied
    return headers, body


def _body(content_type: str | None, data: object) -> tuple[str, bytes]:
    """The body, and the type that it has if the event says none."""
    if data is None:
        return "", b""
    if isinstance(data, bytes):
        return "application/octet-stream", data
    if cloudevents.is_json(content_type):
        return "application/json", jsontext.write(plain(data), "$.data")
    if isinstance(data, str) and _is_utf_8(content_type):
        return "", _encoded(data)
    raise cloudevents.not_text(content_type, data)


def _encoded(text: str) -> bytes:
    try:
        return text.encode()
    except UnicodeEncodeError:
        raise InvalidSignal("$.data", "expected text without lone surrogates") from None


def read(headers: Headers, body: object, *, max_bytes: float, depth: int) -> Event:
    """The event that a message carries, in binary or structured mode. Raises `InvalidSignal`."""
    found = _lower(headers, max_bytes)
    content_type = found.get(_TYPE, "").strip()
    if content_type.lower().startswith(_EVENTS):
        _check_format(content_type)
        return cloudevents.read(body, max_bytes=max_bytes, depth=depth)
    attributes = _attributes(found)
    data = _data(attributes.get("datacontenttype"), body, max_bytes=max_bytes, depth=depth)
    return attributes, data


def _lower(headers: Headers, max_bytes: float) -> dict[str, str]:
    """The headers that matter, by their names in lower case."""
    pairs = headers.items() if isinstance(headers, Mapping) else headers
    found: dict[str, str] = {}
    size = 0
    for name, value in ((_latin(name).lower(), _latin(value)) for name, value in pairs):
        if name != _TYPE and not name.startswith(_PREFIX):
            continue
        size += len(name) + len(value)
        if name in found:
            raise InvalidSignal("$", f"expected the header {name[:50]!r} once")
        found[name] = value
    if size > max_bytes:
        raise jsontext.too_much(max_bytes)
    return found


def _latin(text: object) -> str:
    if isinstance(text, bytes):
        return text.decode("latin-1")
    if isinstance(text, str):
        return text
    raise InvalidSignal("$", f"expected headers of str or bytes, got {type(text).__name__}")


def _check_format(content_type: str) -> None:
    media_type = content_type.partition(";")[0].strip().lower()
    if media_type.startswith(_BATCH):
        raise InvalidSignal("$", "expected one event; read a batch with Signal.batch_from_json()")
    if media_type != _STRUCTURED:
        raise InvalidSignal("$", f"expected {_STRUCTURED}, of the event formats")


def _attributes(headers: dict[str, str]) -> dict[str, Any]:
    found = {
        name.removeprefix(_PREFIX): _decoded(name, value)
        for name, value in headers.items()
        if name != _TYPE
    }
    if "datacontenttype" in found:
        raise InvalidSignal("$.datacontenttype", f"expected it to be the header {_TYPE!r}")
    if headers.get(_TYPE):
        found["datacontenttype"] = headers[_TYPE].strip()
    return cloudevents.check_attributes(found)


def _decoded(name: str, value: str) -> str:
    """Unquoted, as older senders may quote, and then with its percent signs read, once."""
    value = value.strip(" \t")
    if not _PRINTABLE.fullmatch(value):
        raise InvalidSignal(f"$.{name.removeprefix(_PREFIX)}", "expected printable ASCII")
    quoted = _QUOTED.fullmatch(value)
    if quoted:
        value = re.sub(r"\\(.)", r"\1", quoted[1])
    try:
        return unquote_to_bytes(value).decode()
    except UnicodeDecodeError:
        rule = "expected UTF-8 behind the percent signs"
        raise InvalidSignal(f"$.{name.removeprefix(_PREFIX)}", rule) from None


def _data(content_type: str | None, body: object, *, max_bytes: float, depth: int) -> object:
    if not isinstance(body, bytes | bytearray):
        raise InvalidSignal("$.data", f"expected a body of bytes, got {type(body).__name__}")
    if len(body) > max_bytes:
        raise jsontext.too_much(max_bytes)
    if not body:
        return None
    if not cloudevents.is_json(content_type) and not _is_text(content_type):
        return bytes(body)
    text = jsontext.text_of(body, max_bytes=max_bytes)
    return text if _is_text(content_type) else jsontext.read(text, depth=depth, path="$.data")


def _is_text(content_type: str | None) -> bool:
    """Whether it is text, in UTF-8, and not JSON. All else is bytes."""
    if content_type is None or cloudevents.is_json(content_type):
        return False
    main, _, subtype = content_type.partition(";")[0].strip().lower().partition("/")
    says_so = main == "text" or subtype == "xml" or subtype.endswith("+xml")
    return _is_utf_8(content_type) and (says_so or bool(_CHARSET.search(content_type)))


def _is_utf_8(content_type: str | None) -> bool:
    charset = _CHARSET.search(content_type or "")
    return charset is None or charset[1].lower() in _UTF_8
