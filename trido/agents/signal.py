"""Signals: what agents are told, as immutable data."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any, ClassVar, Final, Generic, Self, TypeVar, final

from attrs import field, frozen

from trido.agents.frozen import EMPTY, FrozenDict, freeze, too_deep
from trido.agents.limits import DEPTH, MAX_BYTES, check_limits
from trido.agents.secrets import redacted
from trido.checks import is_utf8
from trido.errors import SpecError

if TYPE_CHECKING:
    from trido.agents.binary import Headers
    from trido.agents.cloudevents import Event

D_co = TypeVar("D_co", covariant=True)
R_co = TypeVar("R_co", covariant=True)


class _Draft:
    """A signal that is being made: laid out as one, but its attributes can be set.

    What is frozen sets its own by `object.__setattr__`, which takes ten times as long; and for six
    of them as long as a turn does.
    """

    __slots__ = ("__weakref__", "attributes", "data", "id", "source", "time", "type")


_set_class: Final[Any] = object.__dict__["__class__"].__set__
"""As ``object.__setattr__(self, "__class__", …)``, which looks for the name first."""


@frozen(eq=False, repr=False, init=False)
class Signal(_Draft):
    """Something that happened or is wanted: a type, its data, and rarely more.

    It follows CloudEvents 1.0. A new signal is data only: ``id``, ``source`` and ``time`` are not
    set, so two signals of one type with equal data are equal. Dicts, lists and sets in ``data``
    are frozen, all the way down; an instance of a class is taken as it is, never copied.

    Raises:
      SpecError: an attribute is not what it may be, or the data is nested too deeply, or in itself.
    """

    type: str
    """What kind of signal it is, in segments: ``"counter.add"``. It decides the route."""
    data: Any = None
    """What it says: an instance of the route's parameter class, or plain data for one."""
    id: str | None = field(default=None, kw_only=True)
    """Names this very signal: two with the same id are one."""
    source: str | None = field(default=None, kw_only=True)
    """Who sent it."""
    time: datetime | None = field(default=None, kw_only=True)
    """When it was sent."""
    attributes: Mapping[str, Any] = field(default=EMPTY, kw_only=True)
    """The rarer CloudEvents attributes (``subject``, ``dataschema`` …) and extensions."""
    _redacts_itself: ClassVar = True

    def __init__(
        self,
        type: str,
        data: Any = None,
        *,
        id: str | None = None,
        source: str | None = None,
        time: datetime | None = None,
        attributes: Mapping[str, Any] = EMPTY,
    ) -> None:
        if type.__class__ is not str or not type:
            raise SpecError("type", type, "a non-empty string", of="Signal")
        cls = self.__class__
        _set_class(self, _Draft)
        draft: Any = self
        draft.type = type
        try:
            draft.data = freeze(data)
        except RecursionError:
            raise too_deep(f"Signal {type!r}", "data", data) from None
        draft.id = id
        draft.source = source
        draft.time = time
        draft.attributes = attributes if attributes is EMPTY else _attributes(attributes)
        draft.__class__ = cls
        if id is not None or source is not None or time is not None:
            self._check_stamp()

    def _check_stamp(self) -> None:
        stamp: tuple[tuple[str, Any], ...] = (("id", self.id), ("source", self.source))
        for name, value in stamp:
            if value is not None and not (isinstance(value, str) and value):
                raise SpecError(name, value, "a non-empty string or None", of="Signal")
            if value is not None and not is_utf8(value):  # a journal knows it by them
                raise SpecError(name, value, "text that UTF-8 can encode", of="Signal")
        time: Any = self.time
        if time is not None and not (isinstance(time, datetime) and time.utcoffset() is not None):
            raise SpecError("time", time, "a datetime with a time zone or None", of="Signal")

    def __repr__(self) -> str:
        stamp = zip(_STAMP, self._stamp(), strict=True)
        said = [f"{name}={redacted(value)}" for name, value in stamp if value is not None]
        more = [f"attributes={redacted(dict(self.attributes))}"] if self.attributes else []
        return f"Signal({', '.join([redacted(self.type), redacted(self.data), *said, *more])})"

    def to_json(self) -> bytes:
        """This signal as a CloudEvent in JSON, of the type ``application/cloudevents+json``.

        Typed data becomes plain data that a route with the same parameter class builds an equal
        value from. Bytes go in base64. Secrets in the data are written as they are.

        Raises:
          InvalidSignal: it has no id or no source, or its data has no form in JSON.
        """
        # Whoever sends nothing outside does not pay for what writes it.
        from trido.agents import cloudevents  # noqa: PLC0415

        return cloudevents.write(*self._event())

    @classmethod
    def from_json(
        cls, data: bytes | str, *, max_bytes: float = MAX_BYTES, depth: int = DEPTH
    ) -> Self:
        """The signal that a CloudEvent in JSON is.

        Attributes that trido does not know are kept. Data is plain data: a route builds its
        parameter class from it. What is refused is refused before it can do harm.

        Args:
          data: what came.
          max_bytes: how long it may be.
          depth: how deep its arrays and objects may be nested, the event itself being the first.

        Raises:
          InvalidSignal: it is too large, nested too deep, not JSON in UTF-8 or ambiguous as such
            (a key twice, ``NaN``), or no CloudEvent 1.0.
          SpecError: a limit is none.
        """
        from trido.agents import cloudevents  # noqa: PLC0415  # as in `to_json`

        check_limits("Signal.from_json", max_bytes, depth)
        return cls._of(cloudevents.read(data, max_bytes=max_bytes, depth=depth))

    @staticmethod
    def batch_to_json(signals: Iterable[Signal]) -> bytes:
        """Several signals as one JSON array: ``application/cloudevents-batch+json``.

        Raises:
          InvalidSignal: one of them cannot be written; the path says which.
        """
        from trido.agents import cloudevents  # noqa: PLC0415  # as in `to_json`

        return cloudevents.write_batch(one._event() for one in signals)

    @classmethod
    def batch_from_json(
        cls, data: bytes | str, *, max_bytes: float = MAX_BYTES, depth: int = DEPTH
    ) -> tuple[Self, ...]:
        """The signals of a JSON array, in order: all of them, or an error.

        Args:
          data: what came.
          max_bytes: how long the whole may be.
          depth: how deep each event may be nested.

        Raises:
          InvalidSignal: as `from_json`; the path says which of them is wrong.
          SpecError: a limit is none.
        """
        from trido.agents import cloudevents  # noqa: PLC0415  # as in `to_json`

        check_limits("Signal.batch_from_json", max_bytes, depth)
        return tuple(map(cls._of, cloudevents.read_batch(data, max_bytes=max_bytes, depth=depth)))

    def to_http(self) -> tuple[dict[str, str], bytes]:
        """The headers and the body of this signal in the binary mode of CloudEvents over HTTP.

        The body is the data, and ``content-type`` says what it is; if the signal does not say, it
        is ``application/json``, or ``application/octet-stream`` for bytes.

        Raises:
          InvalidSignal: as `to_json`.
        """
        from trido.agents import binary  # noqa: PLC0415  # as in `to_json`

        return binary.write(*self._event())

    @classmethod
    def from_http(
        cls, headers: Headers, body: bytes, *, max_bytes: float = MAX_BYTES, depth: int = DEPTH
    ) -> Self:
        """The signal that an HTTP message carries, in binary or structured mode.

        Its ``content-type`` tells which. In binary mode attributes are text, whatever they were
        before. Data is what JSON says if it is JSON or the message does not say what it is, a
        string if it is text or XML in UTF-8, bytes if it is anything else, and None if the body
        is empty.

        Args:
          headers: a mapping, or pairs of names and values, as str or bytes.
          body: the whole body.
          max_bytes: how long the body may be, and the headers that belong to the event.
          depth: as for `from_json`.

        Raises:
          InvalidSignal: as `from_json`.
          SpecError: a limit is none.
        """
        from trido.agents import binary  # noqa: PLC0415  # as in `to_json`

        check_limits("Signal.from_http", max_bytes, depth)
        return cls._of(binary.read(headers, body, max_bytes=max_bytes, depth=depth))

    def _event(self) -> Event:
        stamp = {"id": self.id, "source": self.source, "time": self.time}
        return {"type": self.type, **stamp, **self.attributes}, self.data

    @classmethod
    def _of(cls, event: Event) -> Self:
        attributes, data = event
        own = {name: attributes.pop(name, None) for name in _OWN}
        return cls(data=data, attributes=attributes or EMPTY, **own)

    def _stamp(self) -> tuple[object, ...]:
        return self.id, self.source, self.time

    def _key(self) -> tuple[object, ...]:
        return self.type, self.data, self.id, self.source, self.time, self.attributes

    # Not what attrs would write: a Request is equal to the Signal that says the same.
    def __eq__(self, other: object) -> bool:
        return self._key() == other._key() if isinstance(other, Signal) else NotImplemented

    def __hash__(self) -> int:
        return hash(self._key())


_STAMP: Final = ("id", "source", "time")
_OWN: Final = ("type", *_STAMP)


@final
@frozen(eq=False, repr=False)
class Request(Signal, Generic[D_co, R_co]):
    """A signal whose route is known: it carries a ``D``, and a call with it gives an ``R``.

    Made by the ``signal`` method of a handler. It differs from a `Signal` to type checkers only.
    """


def _attributes(attributes: object) -> FrozenDict:
    from trido.agents import attributes as rules  # noqa: PLC0415  # as in `Signal.to_json`

    if not isinstance(attributes, Mapping):
        raise SpecError("attributes", attributes, "a mapping", of="Signal")
    for name, value in attributes.items():
        if not rules.may_be_called(name):
            raise SpecError("attributes", name, rules.NAMES, of="Signal")
        rule = rules.rule(name, value)
        if rule is not None:
            raise SpecError(name, value, rule, of="Signal")
    return FrozenDict(attributes)
