"""The production checklist: what has to hold of an app, judged by evidence. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, TypeAlias

from attrs import frozen

from trido.cli.facts import Facts
from trido.cli.items import ITEMS, Evidence, Item

Status: TypeAlias = Literal["pass", "fail", "waived"]


@frozen(kw_only=True)
class Result:
    """What came of an item."""

    item: Item
    status: Status
    evidence: tuple[Evidence, ...]
    reason: str | None = None
    """Why it is waived."""

    def as_json(self) -> dict[str, Any]:
        """For a program."""
        return {
            "item": self.item.name,
            "status": self.status,
            "holds": self.item.holds,
            "reason": self.reason,
            "evidence": [
                {"subject": one.subject, "value": one.value, "ok": one.ok} for one in self.evidence
            ],
        }


def examined(facts: Facts, waived: Mapping[str, str]) -> list[Result]:
    """All items. ``waived`` has the reasons, by item or by ``item:subject``."""
    return [_examined(item, facts, waived) for item in ITEMS]


def _examined(item: Item, facts: Facts, waived: Mapping[str, str]) -> Result:
    evidence = tuple(item.look(facts))
    bad = [one for one in evidence if not one.ok]
    if not bad:
        return Result(item=item, status="pass", evidence=evidence)
    reasons = [waived.get(f"{item.name}:{one.subject}", waived.get(item.name)) for one in bad]
    known = [one for one in reasons if one is not None]
    if len(known) < len(bad):
        return Result(item=item, status="fail", evidence=evidence)
    reason = "; ".join(dict.fromkeys(known))
    return Result(item=item, status="waived", evidence=evidence, reason=reason)
