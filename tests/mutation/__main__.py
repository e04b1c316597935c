"""Changes what decides, one small thing at a time, and looks for tests that notice.

``python -m tests.mutation decision`` needs the extra ``mutation``, works on a copy, and takes from
minutes to hours: see docs/contributing.rst.
"""

from __future__ import annotations

import argparse
import os
import sys
from functools import partial
from pathlib import Path
from typing import Final

from tests.mutation.book import Book
from tests.mutation.changing import ROOT, plant, take_copy
from tests.mutation.judging import judged, verdict
from tests.mutation.parts import PARTS
from tests.mutation.running import run_all

KEPT: Final = ROOT / ".mutation"
"""Copies, and what was found: a run that was interrupted is gone on with."""
SURVIVORS: Final = Path(__file__).with_name("survivors.toml")


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.mutation")
    parser.add_argument("part", choices=PARTS)
    parser.add_argument(
        "--only", nargs="+", default=[""], help="of its files, those with this in their path"
    )
    parser.add_argument("--commit", help="what to change, if not what is in the working tree")
    parser.add_argument("--processes", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--afresh", action="store_true", help="forget what was found before")
    given = parser.parse_args()
    part, found = PARTS[given.part], KEPT / f"{given.part}.jsonl"
    sources = [one for one in part.sources if any(word in one for word in given.only)]
    reasons = judged(SURVIVORS.read_text(encoding="utf-8"))
    if given.afresh:
        found.unlink(missing_ok=True)
    copy = KEPT / given.part
    digest = take_copy(copy, given.commit)
    mutants = plant(copy, sources)
    for number, tests in enumerate(part.rounds):
        book = Book(found, digest)
        left = [one for one in mutants if book.is_open(one, number)]
        print(f"round {number + 1}: {len(left)} changes", flush=True)
        if left:
            run_all(copy, left, tests, given.processes, partial(book.write, number))
    outcomes = Book(found, digest).outcomes(mutants)
    modules = {source.removesuffix(".py").replace("/", ".") for source in sources}
    said = verdict(outcomes, reasons, modules)
    print(said.text)
    return int(not said.good)


if __name__ == "__main__":
    sys.exit(main())
