"""What the demo shows while it runs: a panel at the foot of the terminal, or plain lines."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import trio
from rich.console import Console
from rich.live import Live
from rich.text import Text

from trido.cli.messages import Message, Messages
from trido.cli.panel import Snapshot, panel, plain

_FRAME: Final = 0.125
"""Seconds between two pictures: often enough to follow, seldom enough to be calm."""
_LINE: Final = 2.0
"""Seconds between two lines of progress where there is no terminal."""

_STYLES: Final = {
    "crash": "red",
    "restart": "green",
    "refused": "yellow",
    "dead": "magenta",
    "gave up": "bold red",
    "life": "bold cyan",
    "journal": "red",
}


class Show:
    """Shows messages as they come, and a picture of the whole again and again."""

    def __init__(
        self, console: Console, messages: Messages, snapshot: Callable[[], Snapshot | None]
    ) -> None:
        self._console = console
        self._messages = messages
        self._snapshot = snapshot
        self.is_live: bool = console.is_terminal and not console.is_dumb_terminal

    async def run(self) -> None:
        """Show until cancelled, and what is left to be shown then."""
        try:
            if self.is_live:
                await self._run_live()
            else:
                await self._run_plain()
        finally:
            self.flush()

    async def _run_live(self) -> None:
        # No thread of rich's: this task draws, so nobody else is ever in the middle of a line.
        with Live(console=self._console, auto_refresh=False, transient=True) as live:
            while True:
                self.flush()
                picture = self._snapshot()
                if picture is not None:
                    live.update(panel(picture, self._console.width), refresh=True)
                await trio.sleep(_FRAME)

    async def _run_plain(self) -> None:
        due = trio.current_time() + _LINE
        while True:
            self.flush()
            picture = self._snapshot()
            if picture is not None and trio.current_time() >= due:
                due += _LINE
                self._print(Message(picture.time, "", plain(picture)))
            await trio.sleep(_FRAME)

    def flush(self) -> None:
        """Show the messages that nobody has shown yet."""
        self._print(*self._messages.take())

    def _print(self, *messages: Message) -> None:
        if messages:
            lines = Text("\n").join(map(_line, messages))
            if self.is_live:
                self._console.print(lines, no_wrap=True, overflow="ellipsis")
            else:
                self._console.print(lines, soft_wrap=True)


def _line(message: Message) -> Text:
    style = _STYLES.get(message.kind, "")
    return Text.assemble(
        (f"{message.time:6.1f} s  ", "dim"), (f"{message.kind:<9} ", style), message.text
    )
