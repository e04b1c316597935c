"""A journal in memory: for tests, and for virtual time. It forgets nothing but when it is dropped.

No thread takes part: a batch is carried out on the spot, in the task that writes. What does that is
imported when the journal is opened: whoever keeps nothing does not pay for it.
"""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager
from typing import TYPE_CHECKING, Final, final

from trido.journal.errors import Locked

if TYPE_CHECKING:
    from trido.journal.memory_store import KeptAgent, MemoryStore
    from trido.journal.rows import AgentKey
    from trido.journal.session import Session
    from trido.journal.view import View

FILE: Final = "MemoryJournal"


@final
class MemoryJournal:
    """A journal in memory. What it keeps, it keeps as long as it lives, over all its sessions.

    It does what `SqliteJournal` does, but without threads and files, so ``sync`` means nothing.
    """

    def __init__(self) -> None:
        self._agents: dict[AgentKey, KeptAgent] = {}
        self._open = False

    def __repr__(self) -> str:
        return f"<trido.MemoryJournal of {len(self._agents)} agents>"

    def open(self) -> AbstractAsyncContextManager[Session]:
        """Open it: ``async with journal.open() as session``.

        Raises:
          Locked: it is open already.
        """
        from trido.journal.session import open_session  # noqa: PLC0415  # see above
        from trido.journal.ways import Here  # noqa: PLC0415

        return open_session(self._store, Here(), Here())

    def view(self) -> AbstractAsyncContextManager[View]:
        """Open it to read only, also while it is open: ``async with journal.view() as view``."""
        from trido.journal.memory_store import MemoryStore  # noqa: PLC0415  # see above
        from trido.journal.view import open_view  # noqa: PLC0415
        from trido.journal.ways import Here  # noqa: PLC0415

        return open_view(lambda: MemoryStore(self._agents, lambda: None), Here())

    def _store(self) -> MemoryStore:
        from trido.journal.memory_store import MemoryStore  # noqa: PLC0415  # see above

        if self._open:
            remedy = "share the session, or take another MemoryJournal"
            raise Locked(FILE, "it is open already", remedy)
        self._open = True
        return MemoryStore(self._agents, self._closed)

    def _closed(self) -> None:
        self._open = False
