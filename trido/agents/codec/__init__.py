"""The codec: what agents leave in a journal, as bytes, and back. Pure, as all of this room.

A journal stores bytes, texts and numbers, and knows of no agent; what they mean is said here.
"""

from __future__ import annotations

from trido.agents.codec.codec import Codec as Codec
from trido.agents.codec.errors import CodecError as CodecError
from trido.agents.codec.errors import NewerVersion as NewerVersion
from trido.agents.codec.errors import Undecodable as Undecodable
from trido.agents.codec.errors import Unencodable as Unencodable
from trido.agents.codec.errors import Unregistered as Unregistered
from trido.agents.codec.inputs import Input as Input
from trido.agents.codec.state import HEAD as HEAD
from trido.agents.codec.state import StateCodec as StateCodec
from trido.agents.codec.times import micros as micros
from trido.agents.codec.times import moment_of as moment_of
from trido.agents.kept import KeptTimer as KeptTimer
from trido.agents.kept import row_of as row_of
