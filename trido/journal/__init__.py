"""What survives: journals of agents, in memory and in a file. It knows no agents, only rows."""

from __future__ import annotations

from trido.journal.errors import Corrupt as Corrupt
from trido.journal.errors import Fenced as Fenced
from trido.journal.errors import JournalError as JournalError
from trido.journal.errors import Locked as Locked
from trido.journal.errors import NotKept as NotKept
from trido.journal.errors import TooNew as TooNew
from trido.journal.errors import Unavailable as Unavailable
from trido.journal.memory import MemoryJournal as MemoryJournal
from trido.journal.port import Journal as Journal
from trido.journal.sqlite import SqliteJournal as SqliteJournal
