"""Writes the demo's input: one day of an online shop's tickets and invoices, good and bad.

``python -m trido.cli.sample > trido/cli/data/desk.jsonl`` made the bundled file. The same seed
gives the same file, byte for byte, on every version of Python.
"""

from __future__ import annotations

import json
import random
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, Final, TypeVar

T = TypeVar("T")

LINES: Final = 2000
SEED: Final = 2026

# Of a number drawn from [0, 1) for each line: what it makes of the line.
_NOT_JSON_BELOW: Final = 0.007
_NOT_A_RECORD_BELOW: Final = 0.016
_POISON_BELOW: Final = 0.026
_ESSAY_BELOW: Final = 0.037
_TICKETS: Final = 0.55
_WRONG_TOTALS: Final = 0.004

_OPENS: Final = datetime(2026, 3, 2, 7, 30, tzinfo=UTC)
_CLOSES: Final = timedelta(hours=12)

_FIRST: Final = (
    "Ada Amara Anouk Beatriz Chidi Dmitri Elif Farah Femi Greta Hana Hugo Ines Ivo Jonas Kaito Lena"
    " Liv Mateo Mira Nadia Noor Oskar Priya Quentin Rosa Samir Selma Tariq Uma Vera Wanda Xenia"
    " Yusuf Zofia"
)
_LAST: Final = (
    "Abadi Berg Castellanos Dubois Eriksen Fischer Ghosh Haddad Ibarra Jansen Kowalska Lindqvist"
    " Moreau Nakamura Okafor Petrov Quist Rossi Sato Tanaka Ueda Vasquez Weber Xu Yilmaz Zimmer"
)

_CATALOGUE: Final = (
    ("Kettle K2", "49.90"),
    ("Kettle K2 Pro", "79.00"),
    ("Toaster Duo", "39.50"),
    ("Grinder Mill 8", "129.00"),
    ("Espresso One", "449.00"),
    ("Milk Frother S", "24.95"),
    ("Scale Nano", "18.75"),
    ("Filter Papers 100", "6.40"),
    ("Descaler 500 ml", "9.20"),
    ("Glass Carafe", "21.00"),
)

_TEXTS: Final = (
    "My {product} stopped working after {days} days. What can I do?",
    "Where is order #{order}? The tracking page has not changed for {days} days.",
    "I would like to return the {product} from order #{order}, it is still unopened.",
    "The {product} arrived with a broken lid. Photos are attached.",
    "Please change the delivery address of order #{order} to my office.",
    "Can I use the {product} with hard water, or do I need to descale it every {days} days?",
    "I was charged twice for order #{order}. Please refund one of the two payments.",
    "The invoice for order #{order} shows my old company name. Could you correct it?",
    "Does the {product} come with a warranty? The leaflet is missing from the box.",
    "Your courier left the parcel in the rain. The {product} is soaked.",
    "The {product} makes a loud noise since this morning, and smells burnt.",
    "Thank you for the quick help with my {product}! All is well now.",
    "THIS IS THE THIRD TIME I WRITE ABOUT ORDER #{order}!! WHY DOES NOBODY ANSWER?",
    "How do I reset the {product}? Holding the button for {days} seconds does nothing.",
    "Please cancel order #{order}, I ordered the {product} by mistake.",
)

# What the support agent turns out not to cope with: see examples/support_desk.py.
_POISON: Final[tuple[dict[str, str], ...]] = (
    {"text": "Ο βραστήρας δεν ανάβει από χθες."},  # noqa: RUF001  # it is Greek
    {"text": "やかんのふたが閉まりません。"},
    {"text": "😡😡😡"},
    {"text": "Что с моим заказом?"},  # noqa: RUF001  # it is Russian
    {"text": "…?!"},
    {"priority": "blocker"},
    {"priority": "asap"},
    {"text": "Where is my parcel? It belongs to order #"},
)

_Spoil = Callable[[random.Random, dict[str, Any]], object]


def _rename_field(chance: random.Random, record: dict[str, Any]) -> object:
    return {("custommer" if key == "customer" else key): value for key, value in record.items()}


_NOT_A_RECORD: Final[tuple[_Spoil, ...]] = (
    lambda chance, record: [record["id"], record["customer"]],
    lambda chance, record: {**record, "kind": chance.choice(("refund", "tickett", "survey"))},
    lambda chance, record: {key: value for key, value in record.items() if key != "kind"},
    lambda chance, record: {key: value for key, value in record.items() if key != "id"},
    lambda chance, record: {**record, "customer": None},
    lambda chance, record: {**record, "at": "yesterday, after lunch"},
    lambda chance, record: {**record, "campaign": "spring-sale"},
    _rename_field,
)

_NOT_JSON: Final[tuple[Callable[[bytes], bytes], ...]] = (
    lambda line: line[: len(line) * 2 // 3],
    lambda line: line.replace(b'"', b"'"),
    lambda line: line.replace(b'", "', b'" "', 1),
    lambda line: b"2026-03-02 11:00:00 INFO rotating the export",
    lambda line: b"",
    lambda line: line.replace(b'"customer": "', b'"customer": "Bj\xf6rn ', 1),
)


def lines(count: int = LINES, seed: int = SEED) -> Iterator[bytes]:
    """The lines of the file, without their ends.

    Of each hundred about one is malformed, one is poison to the support agent, one is slow.
    """
    chance = random.Random(seed)
    for number in range(count):
        at = _OPENS + _CLOSES * (number + chance.random()) / count
        luck = chance.random()
        if luck < _NOT_JSON_BELOW:
            yield chance.choice(_NOT_JSON)(_encode(_record(chance, number, at)))
        elif luck < _NOT_A_RECORD_BELOW:
            yield _encode(chance.choice(_NOT_A_RECORD)(chance, _record(chance, number, at)))
        elif luck < _POISON_BELOW:
            yield _encode(_ticket(chance, number, at) | chance.choice(_POISON))
        elif luck < _ESSAY_BELOW:
            yield _encode(_ticket(chance, number, at) | {"text": _essay(chance)})
        else:
            yield _encode(_record(chance, number, at))


def _encode(record: object) -> bytes:
    return json.dumps(record, ensure_ascii=False).encode()


def _text(chance: random.Random) -> str:
    return chance.choice(_TEXTS).format(
        product=chance.choice(_CATALOGUE)[0],
        days=2 + chance.randrange(12),
        order=31_000 + chance.randrange(9_000),
    )


def _essay(chance: random.Random) -> str:
    return " And another thing. ".join(_text(chance) for _ in range(12 + chance.randrange(20)))


def _record(chance: random.Random, number: int, at: datetime) -> dict[str, Any]:
    make = _ticket if chance.random() < _TICKETS else _invoice
    return make(chance, number, at)


def _head(chance: random.Random, kind: str, number: int, at: datetime) -> dict[str, Any]:
    return {
        "kind": kind,
        "id": f"{kind[0].upper()}-{20_000 + number}",
        "at": at.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "customer": f"{chance.choice(_FIRST.split())} {chance.choice(_LAST.split())}",
    }


def _ticket(chance: random.Random, number: int, at: datetime) -> dict[str, Any]:
    priority = chance.choice(("low", "normal", "normal", "normal", "high"))
    return _head(chance, "ticket", number, at) | {
        "priority": priority,
        "text": _text(chance),
    }


def _invoice(chance: random.Random, number: int, at: datetime) -> dict[str, Any]:
    items = [_item(chance) for _ in range(1 + chance.randrange(3))]
    total = sum(Decimal(item["price"]) * item["quantity"] for item in items)
    if chance.random() < _WRONG_TOTALS:
        total += 10
    return _head(chance, "invoice", number, at) | {"items": items, "total": str(total)}


def _item(chance: random.Random) -> dict[str, Any]:
    product, price = chance.choice(_CATALOGUE)
    return {"product": product, "quantity": 1 + chance.randrange(3), "price": price}


def main() -> None:
    """Write the file to standard output."""
    for line in lines():
        sys.stdout.buffer.write(line + b"\n")


if __name__ == "__main__":  # pragma: no cover - the tests call main()
    main()
