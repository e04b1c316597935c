"""CloudEvents both ways: as specified, with the ``cloudevents`` package, and from strangers."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from attrs import frozen
from cloudevents.core.bindings import http
from cloudevents.core.formats.json import JSONFormat
from cloudevents.core.v1.event import CloudEvent
from hypothesis import given
from hypothesis import strategies as st

import trido
from trido.agents.frozen import freeze
from trido.agents.schema import Schema

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
LEAST = {"specversion": "1.0", "type": "a", "id": "1", "source": "s"}
HEADERS = {f"ce-{name}": value for name, value in LEAST.items()}
FORMAT = JSONFormat()


@frozen
class Add:
    by: int
    at: datetime
    to: frozenset[str] = frozenset()


@frozen
class Total:
    value: int = 0


adder = trido.Agent("adder", state=Total)


@adder.on("add")
def add(state: Total, data: Add) -> Total:
    return Total(state.value + data.by)


def signal(data: Any = None, **attributes: Any) -> trido.Signal:
    return trido.Signal("a", data, id="1", source="s", attributes=attributes)


def event(**members: Any) -> bytes:
    return json.dumps({**LEAST, **members}).encode()


def refusal(read: Callable[..., object], *args: Any, **limits: Any) -> str:
    with pytest.raises(trido.InvalidSignal) as refused:
        read(*args, **limits)
    error = refused.value
    assert str(error) == f"{error.path}: {error.rule}"
    return str(error)


# Structured mode -------------------------------------------------------------------------------


def test_a_signal_is_a_cloudevent_in_json() -> None:
    full = trido.Signal(
        "a",
        {"n": [1]},
        id="1",
        source="s",
        time=NOON,
        attributes={"subject": "x", "number": 5, "flag": True, "bytes": b"hi", "at": NOON},
    )
    assert json.loads(full.to_json()) == {
        **LEAST,
        "time": "2026-01-01T12:00:00Z",
        "subject": "x",
        "number": 5,
        "flag": True,
        "bytes": "aGk=",
        "at": "2026-01-01T12:00:00Z",
        "data": {"n": [1]},
    }


@pytest.mark.parametrize(
    ("data", "content_type", "members"),
    [
        (None, None, {}),
        (0, None, {"data": 0}),
        ("text", None, {"data": "text"}),
        ("text", "application/vnd.x+json; charset=utf-8", {"data": "text"}),
        ("<a/>", "application/xml", {"data": "<a/>"}),
        (b"\x00", "image/png", {"data_base64": "AA=="}),
        (b"{}", None, {"data_base64": "e30="}),
    ],
)
def test_data_stands_as_its_type_asks(
    data: Any, content_type: str | None, members: dict[str, Any]
) -> None:
    attributes = {"datacontenttype": content_type} if content_type else {}
    text = signal(data, **attributes).to_json()
    assert json.loads(text) == {**LEAST, **attributes, **members}
    assert trido.Signal.from_json(text) == signal(data, **attributes)


def test_typed_data_comes_back_through_its_route() -> None:
    sent = trido.Signal("add", Add(2, NOON, frozenset({"a", "b"})), id="1", source="s")
    came = trido.Signal.from_json(sent.to_json())
    assert came.data == {"by": 2, "at": "2026-01-01T12:00:00+00:00", "to": ("a", "b")}
    assert Schema("test", Add, {}).build(came.data) == sent.data
    assert adder.cmd(Total(), came) == (Total(2), ())


def test_what_is_null_is_not_set() -> None:
    came = trido.Signal.from_json(event(subject=None, time=None, data=None, data_base64="aGk="))
    assert came == signal(b"hi")
    assert trido.Signal.from_json(event(data=1, data_base64=None)) == signal(1)


def test_a_request_reads_requests() -> None:
    request: trido.Request[int, int] = trido.Request.from_json(event(data=1))
    assert type(request) is trido.Request


def test_text_and_bytes_are_read_alike() -> None:
    text = event(data="é")
    assert trido.Signal.from_json(text) == trido.Signal.from_json(text.decode())
    assert trido.Signal.from_json(bytearray(text)) == signal("é")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("text", "time"),
    [
        ("2018-04-05T17:31:00Z", datetime(2018, 4, 5, 17, 31, tzinfo=UTC)),
        ("2018-04-05t17:31:00.123456789z", datetime(2018, 4, 5, 17, 31, 0, 123456, tzinfo=UTC)),
        ("2018-04-05 19:31:00+02:00", datetime(2018, 4, 5, 17, 31, tzinfo=UTC)),
    ],
)
def test_timestamps_are_read(text: str, time: datetime) -> None:
    assert trido.Signal.from_json(event(time=text)).time == time


def test_a_timestamp_keeps_its_offset_if_it_can_be_said() -> None:
    zones = {timedelta(hours=2): "14:00:00+02:00", timedelta(seconds=7): "11:59:53Z"}
    for offset, text in zones.items():
        time = NOON.astimezone(timezone(offset)) if offset.seconds > 60 else None
        time = time or datetime(2026, 1, 1, 12, tzinfo=timezone(offset))
        written = trido.Signal("a", id="1", source="s", time=time).to_json()
        assert json.loads(written)["time"] == f"2026-01-01T{text}"
        assert trido.Signal.from_json(written).time == time


def test_a_time_outside_of_the_calendar_is_refused() -> None:
    first = datetime(1, 1, 1, tzinfo=timezone(timedelta(seconds=7)))
    early = trido.Signal("a", id="1", source="s", time=first)
    assert refusal(early.to_json) == "$.time: expected a time that can be said in UTC"


@pytest.mark.parametrize("name", ["id", "source"])
def test_a_signal_that_nobody_stamped_cannot_be_written(name: str) -> None:
    stamp: dict[str, Any] = {"id": "1", "source": "s"}
    del stamp[name]
    unstamped = trido.Signal("a", **stamp)
    for write in (unstamped.to_json, unstamped.to_http):
        assert refusal(write).startswith(f"$.{name}: CloudEvents requires it, and a signal that")


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (trido.Signal("a\n", id="1", source="s"), "$.type: expected text without control"),
        (trido.Signal("a", id="1\n", source="s"), "$.id: expected text without control"),
        (signal("\ud800"), "$: expected text without lone surrogates"),
        (signal(10**5000), "$: expected numbers of a sensible length"),
        (signal({}, datacontenttype="text/plain"), "$.data: expected text or bytes, as text/plain"),
    ],
)
def test_what_is_no_cloudevent_is_not_written(wrong: trido.Signal, message: str) -> None:
    assert refusal(wrong.to_json).startswith(message)


# Batch mode ------------------------------------------------------------------------------------


def test_a_batch_is_an_array_of_events() -> None:
    signals = (signal({"n": 1}), signal(b"x", datacontenttype="image/png"))
    text = trido.Signal.batch_to_json(signals)
    assert json.loads(text) == [json.loads(one.to_json()) for one in signals]
    assert trido.Signal.batch_from_json(text) == signals
    assert trido.Signal.batch_to_json([]) == b"[]"
    assert trido.Signal.batch_from_json("[]") == ()


def test_a_batch_is_read_whole_or_not_at_all() -> None:
    batch = b"[" + event() + b"," + event(time="noon") + b"]"
    read = trido.Signal.batch_from_json
    assert refusal(read, batch) == "$[1].time: expected a timestamp of RFC 3339"
    assert refusal(read, event()) == "$: expected an array of events, got dict"
    assert refusal(read, b"[" + event() + b",1]") == "$[1]: expected an object, got int"
    error = refusal(trido.Signal.batch_to_json, [signal(), trido.Signal("a")])
    assert error.startswith("$[1].id: CloudEvents requires it")


def test_an_event_may_be_nested_as_deep_in_a_batch_as_alone() -> None:
    text = event(data=[[1]])
    assert trido.Signal.from_json(text, depth=3) == signal([[1]])
    assert trido.Signal.batch_from_json(b"[" + text + b"]", depth=3) == (signal([[1]]),)
    assert "3 levels" in refusal(
        trido.Signal.batch_from_json, b"[" + event(data=[[[1]]]) + b"]", depth=2
    )


# Binary mode -----------------------------------------------------------------------------------


def test_binary_mode_has_attributes_as_headers_and_data_as_the_body() -> None:
    sent = trido.Signal(
        "a",
        {"n": 1},
        id='"1" %',
        source="Euro € 😀",
        time=NOON,
        attributes={"flag": True, "off": False, "number": -5, "bytes": b"hi", "at": NOON},
    )
    headers, body = sent.to_http()
    assert body == b'{"n":1}'
    assert headers == {
        "ce-specversion": "1.0",
        "ce-type": "a",
        "ce-id": "%221%22%20%25",
        "ce-source": "Euro%20%E2%82%AC%20%F0%9F%98%80",  # the example of the specification
        "ce-time": "2026-01-01T12:00:00Z",
        "ce-flag": "true",
        "ce-off": "false",
        "ce-number": "-5",
        "ce-bytes": "aGk=",
        "ce-at": "2026-01-01T12:00:00Z",
        "content-type": "application/json",
    }
    came = trido.Signal.from_http(headers, body)
    assert (came.id, came.source, came.time, came.data) == (sent.id, sent.source, NOON, sent.data)
    assert came.attributes == {
        "flag": "true",
        "off": "false",
        "number": "-5",
        "bytes": "aGk=",
        "at": "2026-01-01T12:00:00Z",
        "datacontenttype": "application/json",
    }


@pytest.mark.parametrize(
    ("data", "content_type", "stated", "body"),
    [
        (None, None, None, b""),
        (None, "text/plain", "text/plain", b""),
        ("text", None, "application/json", b'"text"'),
        ("é", "text/plain", "text/plain", "é".encode()),
        ("<a/>", "image/svg+xml", "image/svg+xml", b"<a/>"),
        ("a", "application/x; charset=UTF-8", "application/x; charset=UTF-8", b"a"),
        (b"\xff", None, "application/octet-stream", b"\xff"),
        (b"\xe9", "text/plain; charset=latin-1", "text/plain; charset=latin-1", b"\xe9"),
    ],
)
def test_the_content_type_says_what_the_body_is(
    data: Any, content_type: str | None, stated: str | None, body: bytes
) -> None:
    sent = signal(data, **({"datacontenttype": content_type} if content_type else {}))
    assert sent.to_http() == ({**HEADERS, **({"content-type": stated} if stated else {})}, body)
    came = trido.Signal.from_http(*sent.to_http())
    assert came == signal(data, **({"datacontenttype": stated} if stated else {}))


def test_headers_are_read_however_a_server_has_them() -> None:
    pairs: list[tuple[str | bytes, str | bytes]]
    pairs = [(b"CE-ID", b"1"), (b"Host", b"\xff"), ("Ce-Type", "a"), ("ce-source", "s")]
    came = trido.Signal.from_http([*pairs, ("ce-specversion", "1.0")], b"[1]")
    assert came == signal([1])


@pytest.mark.parametrize(
    ("value", "read"),
    [
        ('"a \\"b\\" \\\\ %20"', 'a "b" \\  '),
        (" a b ", "a b"),
        ("%e2%82%AC%41", "€A"),
        ("100%", "100%"),
        ('a"b', 'a"b'),
        ("", ""),
    ],
)
def test_header_values_of_older_senders_are_read(value: str, read: str) -> None:
    assert trido.Signal.from_http({**HEADERS, "ce-x": value}, b"").attributes == {"x": read}


def test_a_message_in_structured_mode_is_told_by_its_type() -> None:
    headers = {"Content-Type": "application/CloudEvents+json; charset=UTF-8", "ce-id": "other"}
    assert trido.Signal.from_http(headers, event(data=1)) == signal(1)


@pytest.mark.parametrize(
    ("headers", "body", "message"),
    [
        ({"content-type": "application/cloudevents-batch+json"}, b"[]", "batch_from_json"),
        ({"content-type": "application/cloudevents+avro"}, b"", "$: expected application/cloud"),
        ({}, b"{}", "$.specversion: expected '1.0'"),
        ({**HEADERS, "CE-Id": "2"}, b"", "$: expected the header 'ce-id' once"),
        ({**HEADERS, "ce-datacontenttype": "a/b"}, b"", "the header 'content-type'"),
        ({**HEADERS, "ce-data": "x"}, b"", "$['data']: expected names of lower-case"),
        ({**HEADERS, "ce-x-y": "x"}, b"", "$['x-y']: expected names of lower-case"),
        ({**HEADERS, "ce-x": "é"}, b"", "$.x: expected printable ASCII"),
        ({**HEADERS, "ce-x": "%C0%A0"}, b"", "$.x: expected UTF-8 behind the percent signs"),
        ({**HEADERS, "ce-x": "%0d%0aX: y"}, b"", "$.x: expected text without control characters"),
        ({**HEADERS, "ce-time": "noon"}, b"", "$.time: expected a timestamp of RFC 3339"),
        ({**HEADERS, "content-type": "json"}, b"", "$.datacontenttype: expected a media type"),
        ({**HEADERS, "ce-x": 1}, b"", "$: expected headers of str or bytes, got int"),
        (HEADERS, "text", "$.data: expected a body of bytes, got str"),
        (HEADERS, b"text", "$.data: expected JSON, but Expecting value (line 1, column 1)"),
        ({**HEADERS, "content-type": "text/plain"}, b"\xff", "$: expected UTF-8"),
    ],
)
def test_what_is_no_event_over_http(headers: Any, body: Any, message: str) -> None:
    assert message in refusal(trido.Signal.from_http, headers, body)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (signal({}, datacontenttype="text/plain"), "$.data: expected text or bytes"),
        (signal("é", datacontenttype="text/plain; charset=latin-1"), "$.data: expected text or"),
        (signal("\ud800", datacontenttype="text/plain"), "$.data: expected text without lone"),
        (signal("\ud800"), "$.data: expected text without lone"),
    ],
)
def test_what_is_not_sent_over_http(wrong: trido.Signal, message: str) -> None:
    assert refusal(wrong.to_http).startswith(message)


def test_the_size_of_body_and_headers_is_limited() -> None:
    read = trido.Signal.from_http
    message = "$: expected at most 100 bytes"
    assert refusal(read, HEADERS, b" " * 101, max_bytes=100) == message
    assert refusal(read, {**HEADERS, "ce-x": "x" * 99}, b"", max_bytes=100) == message
    ours = {**HEADERS, "x-other": "x" * 99}
    assert read(ours, b"", max_bytes=100) == signal()


# The guard on the way in -----------------------------------------------------------------------


def nested(levels: int) -> bytes:
    return b"[" * levels + b"]" * levels


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ({}, "$: expected bytes or str, got dict"),
        (None, "$: expected bytes or str, got NoneType"),
        (b"", "$: expected JSON, but Expecting value (line 1, column 1)"),
        (b"\xff", "$: expected UTF-8"),
        (event().decode().encode("utf-16"), "$: expected UTF-8"),
        ("\ud800", "$: expected UTF-8"),
        (b"1", "$: expected an object, got int"),
        (b"[]", "$: expected an object, got list"),
        (b" " * (2**20 + 1), "$: expected at most 1048576 bytes"),
        ("é" * (2**19 + 1), "$: expected at most 1048576 bytes"),
        (nested(65), "$: expected at most 64 levels of nesting"),
        (b"[" * 2**20, "$: expected at most 64 levels of nesting"),
        (b'{"a":' * 10_000, "$: expected at most 64 levels of nesting"),
        (b'{"id": 1, "id": 1}', "$: expected each key once in an object"),
        (event(data=0)[:-2] + b'{"a":1,"a":1}}', "$: expected each key once in an object"),
        (event(data=float("nan")), "$: expected JSON, which has no NaN"),
        (event(data=[float("-inf")]), "$: expected JSON, which has no -Infinity"),
        (event(data=0)[:-2] + b"1e999}", "$: expected numbers that a float can hold"),
        (event(data=0)[:-2] + b"9" * 5000 + b"}", "$: expected numbers of a sensible length"),
        (event(data="\ud800"), "$: expected text without lone surrogates"),
        (event(specversion="0.3"), "$.specversion: expected '1.0'"),
        (event(specversion=1.0), "$.specversion: expected '1.0'"),
        (event(id=None), "$.id: expected a non-empty string; CloudEvents requires it"),
        (event(id=""), "$.id: expected a non-empty string"),
        (event(id=1), "$.id: expected a non-empty string; CloudEvents requires it"),
        (event(source=""), "$.source: expected a non-empty string"),
        (event(type=["a"]), "$.type: expected a non-empty string; CloudEvents requires it"),
        (event(type="a\u0000"), "$.type: expected text without control characters"),
        (event(time=0), "$.time: expected a timestamp of RFC 3339"),
        (event(time="2026-01-01"), "$.time: expected a timestamp of RFC 3339"),
        (event(time="2026-13-01T00:00:00Z"), "$.time: expected a timestamp of RFC 3339"),
        (event(time="2026-01-01T00:00:00"), "$.time: expected a timestamp of RFC 3339"),
        (event(subject=""), "$.subject: expected a non-empty string"),
        (event(subject=1), "$.subject: expected a non-empty string"),
        (event(datacontenttype="a/b\r\nX: y"), "$.datacontenttype: expected text without"),
        (event(Upper=1), "$['Upper']: expected names of lower-case letters and digits"),
        (event(**{"a" * 99 + "-": 1}), f"$['{'a' * 50}']: expected names"),
        (event(extension={}), "$.extension: expected a string, a bool, an integer"),
        (event(extension=1.5), "$.extension: expected a string, a bool, an integer"),
        (event(extension=2**31), "$.extension: expected a string, a bool, an integer"),
        (event(traceparent="x"), "$.traceparent: expected a traceparent of W3C Trace Context"),
        (event(tracestate="a\u007f"), "$.tracestate: expected text without control characters"),
        (event(data=1, data_base64=""), "$.data_base64: expected either data or data_base64"),
        (event(data_base64="?"), "$.data_base64: expected a string in base64"),
        (event(data_base64=1), "$.data_base64: expected a string in base64"),
        (event(datacontenttype="text/plain", data=1), "$.data: expected text or bytes, as text/"),
    ],
)
def test_what_is_no_event(data: Any, message: str) -> None:
    assert refusal(trido.Signal.from_json, data).startswith(message)


def test_surrogates_in_pairs_are_text() -> None:
    assert trido.Signal.from_json(event(data="😀")) == signal("😀")


@pytest.mark.parametrize(
    "limits",
    [{"max_bytes": 0}, {"max_bytes": "1"}, {"depth": 0}, {"depth": 257}, {"depth": True}],
)
def test_limits_are_checked(limits: dict[str, Any]) -> None:
    calls: list[tuple[Callable[..., Any], tuple[Any, ...]]] = [
        (trido.Signal.from_json, (b"",)),
        (trido.Signal.batch_from_json, (b"",)),
        (trido.Signal.from_http, ({}, b"")),
    ]
    for read, args in calls:
        with pytest.raises(trido.SpecError) as refused:
            read(*args, **limits)
        assert refused.value.field in limits


def test_the_deepest_that_may_be_asked_for_is_read() -> None:
    data = json.loads(nested(255))
    assert trido.Signal.from_json(event(data=data), depth=256) == signal(data)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=8,
)  # fmt: skip


def depth(value: object) -> int:
    match value:
        case dict():
            return 1 + max(map(depth, value.values()), default=0)
        case list():
            return 1 + max(map(depth, value), default=0)
    return 0


@given(JSON | st.text(alphabet='[{"\\'), st.integers(1, 5))
def test_brackets_in_strings_nest_nothing(data: object, limit: int) -> None:
    text = event(data=data)
    if depth(data) + 1 <= limit:
        assert trido.Signal.from_json(text, depth=limit) == signal(freeze(data))
    else:
        assert "levels of nesting" in refusal(trido.Signal.from_json, text, depth=limit)


@given(
    st.binary()
    | st.text(alphabet='{}[]":,\\ab1.-')
    | st.dictionaries(st.sampled_from([*LEAST, "time", "data", "x"]), JSON).map(json.dumps)
)
def test_whatever_comes_is_a_signal_or_refused(data: bytes | str) -> None:
    for read in (trido.Signal.from_json, trido.Signal.batch_from_json):
        try:
            read(data)
        except trido.InvalidSignal as error:
            assert error.path.startswith("$")  # noqa: PT017  # the point is that nothing else comes


@given(
    st.dictionaries(st.sampled_from([*HEADERS, "ce-time", "Content-Type", "ce-x"]), st.text()),
    st.binary(),
)
def test_whatever_comes_over_http_is_a_signal_or_refused(
    headers: dict[str, str], body: bytes
) -> None:
    try:
        trido.Signal.from_http({**HEADERS, **headers}, body)
    except trido.InvalidSignal as error:
        assert error.path.startswith("$")  # noqa: PT017  # same


# The cloudevents package -----------------------------------------------------------------------

TEXT = st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cn", "Cs"]))
SOMETHING = TEXT.filter(bool)
ZONES = st.sampled_from([UTC, timezone(timedelta(hours=-7)), timezone(timedelta(minutes=330))])
KNOWN = {"data", "id", "source", "specversion", "time", "type", "subject", "dataschema"}
KNOWN |= {"datacontenttype", "traceparent", "tracestate"}
EXTENSIONS = st.text("abcxyz0189", min_size=1, max_size=25).filter(lambda name: name not in KNOWN)
JSON_TYPES = st.sampled_from(["application/json", "application/vnd.x+json", "text/json; a=b"])
TEXT_TYPES = st.sampled_from(["text/plain", "application/xml", "a/b; charset=utf-8"])
OTHER_TYPES = st.sampled_from(["image/png", "application/octet-stream"])
# Content types and data that go together.
CONTENT = st.one_of(
    st.tuples(st.none() | JSON_TYPES, JSON),
    st.tuples(TEXT_TYPES, st.text()),
    st.tuples(OTHER_TYPES, st.binary()),
)


@st.composite
def signals(draw: st.DrawFn) -> trido.Signal:
    content_type, data = draw(CONTENT)
    optional = st.fixed_dictionaries(
        {}, optional={"subject": SOMETHING, "dataschema": st.just("https://a.b/c")}
    )
    extensions = st.dictionaries(
        EXTENSIONS, TEXT | st.booleans() | st.integers(-(2**31), 2**31 - 1)
    )
    typed = {"datacontenttype": content_type} if content_type else {}
    return trido.Signal(
        draw(SOMETHING),
        data,
        id=draw(SOMETHING),
        source=draw(SOMETHING),
        time=draw(st.datetimes(timezones=ZONES)),
        attributes={**draw(optional), **draw(extensions), **typed},
    )


def attributes_of(signal: trido.Signal) -> dict[str, Any]:
    own = {"type": signal.type, "id": signal.id, "source": signal.source, "time": signal.time}
    return {"specversion": "1.0", **own, **signal.attributes}


def as_text(attributes: dict[str, Any]) -> dict[str, Any]:
    texts = {True: "true", False: "false"}
    return {
        name: texts[value] if isinstance(value, bool) else str(value) if name != "time" else value
        for name, value in attributes.items()
    }


def thawed(data: Any) -> Any:
    return data if isinstance(data, bytes) else json.loads(json.dumps(data))


@given(signals())
def test_the_package_reads_what_trido_writes(signal: trido.Signal) -> None:
    came = FORMAT.read(CloudEvent, signal.to_json())
    assert came.get_attributes() == attributes_of(signal)
    assert came.get_data() == thawed(signal.data)


@given(signals())
def test_trido_reads_what_the_package_writes(signal: trido.Signal) -> None:
    theirs = CloudEvent(attributes_of(signal), thawed(signal.data))
    assert trido.Signal.from_json(FORMAT.write(theirs)) == signal
    message = http.to_structured_event(theirs)
    assert trido.Signal.from_http(message.headers, message.body) == signal


@given(st.lists(signals(), max_size=3))
def test_batches_are_read_both_ways(signals: list[trido.Signal]) -> None:
    """The package has no batches: each event of one is checked."""
    for one, text in zip(signals, json.loads(trido.Signal.batch_to_json(signals)), strict=True):
        came = FORMAT.read(CloudEvent, json.dumps(text))
        assert (came.get_attributes(), came.get_data()) == (attributes_of(one), thawed(one.data))
    theirs = [FORMAT.write(CloudEvent(attributes_of(one), thawed(one.data))) for one in signals]
    assert trido.Signal.batch_from_json(b"[" + b",".join(theirs) + b"]") == tuple(signals)


@given(signals())
def test_the_package_reads_what_trido_writes_in_binary_mode(signal: trido.Signal) -> None:
    headers, body = signal.to_http()
    came = http.from_binary_event(http.HTTPMessage(headers, body))
    stated = {} if signal.data is None else {"datacontenttype": "application/json"}
    assert came.get_attributes() == {**stated, **as_text(attributes_of(signal))}
    data: Any = came.get_data()
    if isinstance(signal.data, bytes):  # which the package takes for text wherever it can
        data = (data or "").encode() if not isinstance(data, bytes) else data
    elif signal.data == "":
        data = data or ""
    assert data == thawed(signal.data)


@given(signals())
def test_trido_reads_what_the_package_writes_in_binary_mode(signal: trido.Signal) -> None:
    data = thawed(signal.data)
    if signal.attributes.get("datacontenttype", "json").find("json") >= 0:
        data = {"data": data}  # no other JSON does the package write as JSON in this mode
    attributes = {
        name: value for name, value in attributes_of(signal).items() if value not in (True, False)
    }  # which the package writes as Python does, and not as the specification says
    message = http.to_binary_event(CloudEvent(attributes, data))
    came = trido.Signal.from_http(message.headers, message.body)
    assert attributes_of(came) == as_text(attributes)
    assert came.data == (freeze(data) or None)
