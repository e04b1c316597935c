"""The main job of the command: ``trido demo``."""

from __future__ import annotations

import json
import logging
import signal
import sys
from typing import Any, Final

from rich.console import Console

from trido.cli import application
from trido.cli.job import printable
from trido.cli.lives import Lives
from trido.cli.report import as_json, print_report
from trido.cli.session import Options, Session
from trido.cli.source import BadInput, Source
from trido.journal import JournalError
from trido.supervision import run

# The show tells of every crash; the log, left alone, would write tracebacks across it.
_SILENCE: Final = logging.NullHandler()


def demo(options: Options, **trio_options: Any) -> int:
    """Run the demo; returns the exit code.

    0: every line is accounted for. 1: one is not, or the supervisor gave up. 2: there is no such
    input. 130 and 143: stopped by Ctrl-C and by SIGTERM, in order.

    ``trio_options`` are those of `trio.run`.
    """
    log = logging.getLogger("trido")
    log.addHandler(_SILENCE)
    try:
        return _demo(options, trio_options)
    finally:
        log.removeHandler(_SILENCE)


def _demo(options: Options, trio_options: dict[str, Any]) -> int:
    console = Console(stderr=options.json, highlight=False, emoji=False, markup=False)
    try:
        lives = Lives.of(options.durable, options.input) if options.durable else None
        source = Source(options.input)
    except BadInput as error:
        print(f"trido demo: {error}", file=sys.stderr)
        return 2
    with source:
        trouble = ""
        session = Session(options, application.load(), source, console, lives=lives)
        try:
            run(session.run, **trio_options)
        except* (BadInput, JournalError) as group:
            trouble = _words(group)
        except* KeyboardInterrupt:
            # A second one would ask for what is happening already, and lose the report.
            signal.signal(signal.SIGINT, signal.SIG_IGN)
            session.ending = "Ctrl-C"
        if trouble:
            print(f"trido demo: {printable(trouble)}", file=sys.stderr)
            return 2
        result = session.result()
    if result.ledger.lines == 0 and result.exit_code == 0:
        print(f"trido demo: {options.input} is empty", file=sys.stderr)
        return 2
    print_report(console, result)
    if options.json:
        print(json.dumps(as_json(result)))
    return result.exit_code


def _words(group: BaseExceptionGroup[BaseException]) -> str:
    """What is wrong."""
    error: BaseException = group
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return str(error)
