"""Every line is a letter or a refusal that says why."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trido.cli.lines import MAX_BYTES, Letter, Refusal, read

KINDS = frozenset({"ticket", "invoice"})


def test_a_letter() -> None:
    assert read(7, b'{"kind": "ticket", "id": "T-1"}', KINDS) == Letter(7, "ticket", {"id": "T-1"})


def test_what_is_in_it_is_the_agents_to_judge() -> None:
    assert read(7, b'{"kind": "invoice", "unknown": [1, null]}\r', KINDS) == Letter(
        7, "invoice", {"unknown": [1, None]}
    )


@pytest.mark.parametrize(
    ("raw", "text"),
    [
        (b"", "empty line"),
        (b" \t\r", "empty line"),
        (b"not JSON", "not JSON (Expecting value at column 1)"),
        (b'{"kind": "ticket",', "not JSON (Expecting property name enclosed in double quotes"),
        (b'{"kind": "tick', "not JSON (Unterminated string at column 10)"),
        (b'{"kind": "ticket"} {}', "not JSON (Extra data at column 20)"),
        (b'{"kind": "ticket", "a": NaN}', "not JSON (NaN is no number there)"),
        (b'{"kind": "ticket", "kind": "invoice"}', "not JSON (the field 'kind' is there twice)"),
        (b"[" * 50_000, "not JSON (nested too deeply)"),
        (b"1" * 10_000, "not JSON (a number of too many digits)"),
        (b'{"kind": "B\xf6rn"}', "not UTF-8 text (byte 0xf6 at column 12)"),
        (b"\0\1\2", "not JSON"),
        (b"[1, 2]", "not a letter, but JSON's array"),
        (b'"ticket"', "not a letter, but JSON's string"),
        (b"1.5", "not a letter, but JSON's number"),
        (b"true", "not a letter, but JSON's true or false"),
        (b"null", "not a letter, but JSON's null"),
        (b"{}", "no field 'kind': it should be 'ticket' or 'invoice'"),
        (b'{"kind": null}', "no field 'kind'"),
        (b'{"kind": "refund"}', "nobody takes the kind 'refund': it should be 'ticket' or 'in"),
        (b'{"kind": ["ticket"]}', "nobody takes the kind ['ticket']"),
        (b'{"kind": "' + b"x" * 100 + b'"}', f"nobody takes the kind '{'x' * 39}…"),
        (b"x" * (MAX_BYTES + 1), "longer than 65,536 bytes"),
    ],
)
def test_a_refusal_says_what_is_wrong(raw: bytes, text: str) -> None:
    refusal = read(7, raw, KINDS)
    assert isinstance(refusal, Refusal)
    assert refusal.line == 7
    assert refusal.text.startswith(text)


def test_the_longest_line() -> None:
    raw = json.dumps({"kind": "ticket", "text": ""}).encode()
    raw = raw.replace(b'""', b'"' + b"x" * (MAX_BYTES - len(raw)) + b'"')
    assert len(raw) == MAX_BYTES
    assert isinstance(read(1, raw, KINDS), Letter)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text() | st.just("kind"), inner),
)


@given(st.binary() | JSON.map(lambda value: json.dumps(value).encode()), st.integers(1))
def test_whatever_it_is(raw: bytes, line: int) -> None:
    found = read(line, raw, KINDS)
    assert found.line == line
    if isinstance(found, Letter):
        assert json.loads(raw) == {"kind": found.kind, **found.data}
    else:
        assert found.text
