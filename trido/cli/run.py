"""``trido run module:app``: an app with its logs, its signals and its exit code."""

from __future__ import annotations

import logging
import signal
import sys
import traceback
from collections.abc import Generator
from contextlib import contextmanager
from typing import Any, Final, Literal, TypeAlias

from attrs import define, field
from rich.console import Console
from rich.logging import RichHandler

from trido.cli.job import printable
from trido.cli.kinds import App, Function, Tree, app_at
from trido.cli.load import UserError, said
from trido.cli.watch import OPERATOR, Watch
from trido.runtime import Runtime, open_runtime
from trido.supervision import (
    ChildSpec,
    RestartLimitExceeded,
    StartFailed,
    open_supervisor,
)
from trido.supervision import run as run_in_order
from trido.supervision.supervisor import SupervisorBase

Level: TypeAlias = Literal["debug", "info", "warning", "error", "off"]
Ending: TypeAlias = Literal["finished", "SIGTERM"]

_FORMAT: Final = "%(asctime)s %(levelname)s %(message)s"
_KNOWN: Final = (RestartLimitExceeded, StartFailed)
"""What the log has told of already, cause and all."""


def run_app(where: str, *, watch: bool, level: Level, **trio_options: Any) -> int:
    """Run it; returns the exit code.

    0: it ended. 1: it failed, or its supervisor gave up. 2: there is no such app. 130 and 143:
    stopped by Ctrl-C and by SIGTERM, in order. An app that exits by itself has its own.

    ``trio_options`` are those of `trio.run`.
    """
    console = Console(stderr=True, highlight=False, emoji=False, markup=False)
    try:
        with logs(level, console if watch else None):
            return Running(where, console, watch=watch).carry_out(trio_options)
    except UserError as error:
        print(printable(f"trido run: {error}"), file=sys.stderr)
        return 2


@contextmanager
def logs(level: Level, console: Console | None) -> Generator[None]:
    """Have the log on stderr, unless somebody has seen to it."""
    root = logging.getLogger()
    if root.handlers or level == "off":
        yield
        return
    handler: logging.Handler = logging.StreamHandler()
    if console is not None and console.is_terminal:
        handler = RichHandler(console=console, show_path=False)  # it stands above the tree
    else:
        handler.setFormatter(logging.Formatter(_FORMAT))
    handler.addFilter(lambda record: f"{OPERATOR!r}" not in record.getMessage())
    before = root.level
    root.addHandler(handler)
    root.setLevel(level.upper())
    try:
        yield
    finally:
        root.removeHandler(handler)
        root.setLevel(before)


@define(kw_only=True)
class Running:
    """One app, and how it ended."""

    where: str = field(kw_only=False)
    console: Console = field(kw_only=False)
    watch: bool
    ending: Ending = field(default="SIGTERM", init=False)
    """Until something else is known, it ended by being cancelled."""

    def carry_out(self, trio_options: dict[str, Any]) -> int:
        """Run it to its end."""
        try:
            run_in_order(self._main, **trio_options)
        # No event loop runs any more: there is nobody to whom it could be raised.
        except BaseException as error:  # noqa: ASYNC103
            return self._failed(error)  # noqa: ASYNC104
        return 0 if self.ending == "finished" else 143

    async def _main(self) -> None:
        app = app_at(self.where)
        if not self.watch:
            await self._serve(app)
        else:
            show = ChildSpec(Watch(self.console).run, id="watch")
            async with open_supervisor(show, id=OPERATOR):
                await self._serve(app)
        self.ending = "finished"

    async def _serve(self, app: App) -> None:
        match app:
            case Tree(spec=spec):
                async with open_supervisor(spec=spec) as supervisor:
                    await supervisor.wait()
            case Function(fn=fn, takes_runtime=False):
                await fn()
            case Function(fn=fn):
                async with open_runtime() as runtime:
                    await fn(runtime)
            case _:
                async with app.manager as opened:
                    await supervisor_of(self.where, opened).wait()

    def _failed(self, error: BaseException) -> int:
        if _leaf(error, KeyboardInterrupt):
            # It is over already: a second one would but lose what is to be said.
            signal.signal(signal.SIGINT, signal.SIG_IGN)
            return 130
        users = _leaf(error, UserError)
        if users is not None:
            raise users
        exits = _leaf(error, SystemExit)
        if exits is not None:
            return _exit_code(exits.code)
        if isinstance(error, _KNOWN):
            print(printable(f"trido run: {said(error)}"), file=sys.stderr)
        else:
            traceback.print_exception(error)
        return 1


def supervisor_of(where: str, opened: object) -> SupervisorBase:
    """The supervisor that an open context gave.

    Raises:
      UserError: it gave something else.
    """
    if isinstance(opened, Runtime):
        return opened.supervisor
    if isinstance(opened, SupervisorBase):
        return opened
    allowed = "it must yield a trido.Runtime or a trido.Supervisor"
    raise UserError(f"{where} gave what is of type {type(opened).__name__}; {allowed}")


def _leaf(error: BaseException, kind: type[Any]) -> Any:
    """The first of this kind in it."""
    if isinstance(error, BaseExceptionGroup):
        found = (_leaf(one, kind) for one in error.exceptions)
        return next((one for one in found if one is not None), None)
    return error if isinstance(error, kind) else None


def _exit_code(code: object) -> int:
    if code is None or isinstance(code, int):
        return int(code or 0)
    print(code, file=sys.stderr)
    return 1
