"""What is said of messages that are refused, word by word, and how much may be in one."""

from __future__ import annotations

import dataclasses
import enum
import json
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from functools import partial
from typing import Any

import pytest

import trido
from trido.agents import jsontext
from trido.agents.plain import plain

LEAST = {"specversion": "1.0", "type": "a", "id": "1", "source": "s"}
HEADERS = {f"ce-{name}": value for name, value in LEAST.items()}


def signal(data: Any = None, **attributes: Any) -> trido.Signal:
    return trido.Signal("a", data, id="1", source="s", attributes=attributes)


def event(**members: Any) -> str:
    return json.dumps({**LEAST, **members}, ensure_ascii=False)


def from_http(body: bytes = b"", **headers: str) -> trido.Signal:
    said = {name.replace("_", "-"): value for name, value in headers.items()}
    return trido.Signal.from_http({**HEADERS, **said}, body)


def refusal(what: Callable[[], object]) -> str:
    with pytest.raises(trido.InvalidSignal) as refused:
        what()
    return str(refused.value)


NO_JSON = "$.data: expected text or bytes, as text/plain is no JSON; got"


@pytest.mark.parametrize(
    ("what", "message"),
    [
        (signal({}, datacontenttype="text/plain").to_json, f"{NO_JSON} FrozenDict"),
        (signal({}, datacontenttype="text/plain").to_http, f"{NO_JSON} FrozenDict"),
        (
            lambda: trido.Signal.from_json(event(datacontenttype="text/plain", data={})),
            f"{NO_JSON} dict",
        ),
        (
            lambda: from_http(content_type="application/cloudevents-batch+json"),
            "$: expected one event; read a batch with Signal.batch_from_json()",
        ),
        (
            lambda: from_http(ce_datacontenttype="text/plain"),
            "$.datacontenttype: expected it to be the header 'content-type'",
        ),
        (
            lambda: trido.Signal.from_http([("ce-" + "x" * 60, "a")] * 2, b""),
            f"$: expected the header 'ce-{'x' * 47}' once",
        ),
        (lambda: from_http(ce_subject="\na"), "$.subject: expected printable ASCII"),
        (
            lambda: from_http(b'"\\ud800"', content_type="application/json"),
            "$.data: expected text without lone surrogates",
        ),
    ],
)
def test_a_refusal_says_where_and_what(what: Callable[[], object], message: str) -> None:
    assert refusal(what) == message


def test_only_spaces_and_tabs_are_cut_from_a_header() -> None:
    assert from_http(ce_subject=" \tX \t").attributes["subject"] == "X"


def test_xml_is_text_whatever_else_its_type_says() -> None:
    assert from_http(b"<a/>", content_type="application/xml; a=b").data == "<a/>"


def test_as_much_as_is_allowed_is_read() -> None:
    text = event(data="é")
    size = len(text.encode())
    assert trido.Signal.from_json(text, max_bytes=size).data == "é"
    assert "at most" in refusal(lambda: trido.Signal.from_json(text, max_bytes=size - 1))
    size = sum(len(name) + len(value) for name, value in HEADERS.items())
    headers = {**HEADERS, "X-Other": "is not counted"}
    body = json.dumps("x" * (size - 2)).encode()
    assert trido.Signal.from_http(headers, body, max_bytes=size).data == "x" * (size - 2)
    for part in (b"", body + b" "):
        limit = size - 1 if not part else size
        read = partial(trido.Signal.from_http, headers, part, max_bytes=limit)
        assert refusal(read) == f"$: expected at most {limit} bytes"


@pytest.mark.parametrize(
    ("text", "depth"), [("[[],[],[[]]]", 3), ("[[[],[[]]]]", 4), ('["[[",{"a":[]},["]"]]', 3)]
)
def test_the_depth_is_that_of_the_deepest(text: str, depth: int) -> None:
    assert jsontext.read(text, depth=depth) == json.loads(text)
    assert refusal(lambda: jsontext.read(text, depth=depth - 1)) == (
        f"$: expected at most {depth - 1} levels of nesting"
    )


# Attributes ---------------------------------------------------------------------------------------


class Grade(int):
    """It calls itself something else."""

    def __str__(self) -> str:
        return "good"


def test_a_number_is_sent_as_a_number_whatever_it_calls_itself() -> None:
    headers, _ = signal(grade=Grade(5)).to_http()
    assert headers["ce-grade"] == "5"


def test_a_moment_without_a_zone_is_no_attribute() -> None:
    with pytest.raises(trido.SpecError, match="a datetime with a time zone"):
        signal(at=datetime(2026, 1, 1))  # noqa: DTZ001  # wrong on purpose


def test_a_moment_is_written_alike_wherever_that_is(monkeypatch: pytest.MonkeyPatch) -> None:
    at = datetime(2026, 1, 1, 12, tzinfo=timezone(timedelta(seconds=7)))
    with monkeypatch.context() as patch:
        patch.setenv("TZ", "Asia/Tokyo")
        time.tzset()
        headers, _ = signal(at=at).to_http()
    time.tzset()
    assert headers["ce-at"] == "2026-01-01T11:59:53Z"
    assert at.astimezone(UTC) == datetime(2026, 1, 1, 11, 59, 53, tzinfo=UTC)


# Plain data ---------------------------------------------------------------------------------------


class Rights(enum.Flag):
    READ = 1
    WRITE = 2


@dataclasses.dataclass(frozen=True)
class Size:
    width: int = 1
    area: int = dataclasses.field(init=False, default=1)


NAN = float("nan")
ENDLESS: list[Any] = []
ENDLESS.append(ENDLESS)


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (ENDLESS, "$.data: expected data nested less deeply, and not in itself"),
        ({"a": NAN}, "$.data.a: expected data that JSON can say, got nan"),
        ([1, NAN], "$.data[1]: expected data that JSON can say, got nan"),
        ({NAN}, "$.data[]: expected data that JSON can say, got nan"),
        ({object}, "$.data[]: expected data that JSON can say, got type"),
        (
            {Rights.READ | Rights.WRITE: 1},
            "$.data: expected data that JSON can say, got a nameless Rights",
        ),
    ],
)
def test_what_is_not_plain_is_told_by_path(value: object, message: str) -> None:
    assert refusal(lambda: plain(value)) == message


def test_a_set_of_all_sorts_has_an_order() -> None:
    assert plain({2, "a", None, 10}) == plain({10, None, "a", 2}) == ["a", 10, 2, None]


def test_a_dataclass_is_what_it_is_made_of() -> None:
    assert plain(Size(2)) == {"width": 2}


# Schemas ------------------------------------------------------------------------------------------


class Lenient(enum.Enum):
    YES = "yes"

    @staticmethod
    def _missing_(value: object) -> Lenient:  # pyright: ignore[reportIncompatibleMethodOverride]  # it may be one
        return Lenient.YES


def test_a_schema_asks_for_nothing_that_has_a_default() -> None:
    @trido.action
    def act(data: Size) -> None:
        pass

    assert act.schema() == {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Size",
        "type": "object",
        "properties": {"width": {"type": "integer"}},
        "additionalProperties": False,
    }


def test_an_enum_that_takes_more_than_it_lists_is_any_text() -> None:
    @trido.action
    def act(data: Lenient) -> None:
        pass

    assert act.schema()["type"] == "string"
