"""What can go wrong, and what is done about it.

    LastclickError
    +-- ConfigError     (ValueError)  a Funnel, a sink or a report was asked for with wrong settings
    +-- EventError      (ValueError)  an event, or a part of one, could not be used
    |   +-- UnknownStepError          the funnel has no such step; the event is still written
    +-- LogError        (ValueError)  a log or a table could not be read
    +-- DeliveryError   (OSError)     a sink could not keep an event

Setting up may raise. A call during a checkout raises nothing: its error goes to the funnel's
``on_error``, which is `log_errors` unless you say otherwise.
"""

import logging
import os
import time
from contextlib import suppress
from pathlib import Path
from typing import NoReturn

__all__ = [
    "ConfigError",
    "DeliveryError",
    "EventError",
    "LastclickError",
    "LogError",
    "UnknownStepError",
    "log_errors",
    "raise_errors",
]

_logger = logging.getLogger("lastclick")

#: One log line for each kind of error in this many seconds.
LOG_EVERY_S = 60.0


class LastclickError(Exception):
    """The root of every error that this library raises.

    Example:
        >>> from lastclick import Money
        >>> try:
        ...     Money(59.9, "EUR")
        ... except LastclickError as error:
        ...     print(type(error).__name__)
        EventError

    .. versionadded:: 0.1.0
    """

    #: A short code under which the error is counted, the same for every error of its kind.
    reason: str = "error"


class ConfigError(LastclickError, ValueError):
    """A `Funnel`, a sink or a report was asked for with wrong settings. Raised at once.

    Example:
        >>> from lastclick import Funnel
        >>> from lastclick.sinks import MemorySink
        >>> Funnel("checkout", steps=(), sink=MemorySink())
        Traceback (most recent call last):
        ...
        lastclick.errors.ConfigError: a funnel needs at least one step, such as ...

    .. versionadded:: 0.1.0
    """

    reason = "config"


class EventError(LastclickError, ValueError):
    """An event, or a part of one, could not be used.

    Attributes:
        reason: The code under which it is counted in ``funnel.stats``, such as ``"float_amount"``.

    Example:
        >>> from lastclick import Money
        >>> try:
        ...     Money("1_000", "EUR")
        ... except EventError as error:
        ...     print(error.reason)
        bad_amount

    .. versionadded:: 0.1.0
    """

    def __init__(self, message: str, reason: str = "invalid") -> None:
        super().__init__(message)
        self.reason = reason


class UnknownStepError(EventError):
    """A step that the funnel does not have. The event is still written.

    Example:
        >>> from lastclick import Funnel
        >>> from lastclick.sinks import MemorySink
        >>> funnel = Funnel(
        ...     "checkout", steps=("cart", "payment"), sink=MemorySink(), on_error=raise_errors
        ... )
        >>> funnel.checkout("c-1").enter("pay")
        Traceback (most recent call last):
        ...
        lastclick.errors.UnknownStepError: unknown step 'pay'; this funnel has cart, payment

    .. versionadded:: 0.1.0
    """

    def __init__(self, message: str) -> None:
        super().__init__(message, "unknown_step")


class LogError(LastclickError, ValueError):
    """A log or a table could not be read.

    Attributes:
        path: The file or directory.
        line: The line number, from 1, or None where it is not about a line.

    Example:
        >>> from lastclick import read_log
        >>> try:
        ...     read_log("nowhere")
        ... except LogError as error:
        ...     print(error.path)
        nowhere

    .. versionadded:: 0.1.0
    """

    reason = "log"

    def __init__(self, message: str, path: Path | str | None = None, line: int | None = None):
        super().__init__(message)
        self.path = path
        self.line = line


class DeliveryError(LastclickError, OSError):
    """A sink could not keep an event.

    Attributes:
        reason: The code under which the sink counts the loss, such as ``"disk_full"``.

    Example:
        >>> from lastclick import Funnel
        >>> from lastclick.sinks import MemorySink
        >>> sink = MemorySink()
        >>> funnel = Funnel("checkout", steps=("cart",), sink=sink, on_error=raise_errors)
        >>> sink.close(timeout=1)
        True
        >>> try:
        ...     funnel.checkout("c-1").enter("cart")
        ... except DeliveryError as error:
        ...     print(error.reason)
        closed

    .. versionadded:: 0.1.0
    """

    def __init__(self, message: str, reason: str = "undelivered") -> None:
        super().__init__(message)
        self.reason = reason


def shown(value: object) -> str:
    """What a message shows of a value: the start of its repr, whatever its repr does.

    A message is made in the middle of a checkout, and a repr is somebody else's code; that of an
    int of 5,000 digits raises too.
    """
    try:
        return f"{value!r:.100}"
    except Exception:  # noqa: BLE001 - somebody else's code; the message says as much
        return f"<{type(value).__name__} whose repr fails>"


def not_readable(path: Path | str, error: OSError) -> LogError:
    """The error about a file or a directory that is there and cannot be opened."""
    msg = f"cannot read {path}: {error.strerror or error}"
    if isinstance(error, PermissionError):
        msg += f"; give this process (user id {os.geteuid()}) the right, or read as one who has it"
    return LogError(msg, Path(path))


_logged: dict[str, tuple[float, int]] = {}


def log_errors(error: LastclickError, /) -> None:
    """Log the error, at most one line a minute for each kind; the default ``on_error``.

    The line says how many of the kind were passed over since the one before.

    Example:
        >>> log_errors(EventError("checkout_id is empty", "no_checkout_id"))

    .. versionadded:: 0.1.0
    """
    now = time.monotonic()
    kind = f"{type(error).__name__} {error.reason}"
    last, passed = _logged.get(kind, (None, 0))
    if last is not None and now - last < LOG_EVERY_S:
        _logged[kind] = (last, passed + 1)
        return
    _logged[kind] = (now, 0)
    more = f" ({passed} more of this kind since the last such line)" if passed else ""
    with suppress(Exception):  # an application's handler that fails must not cost a sale
        _logger.warning("%s: %s%s", type(error).__name__, error, more)


def raise_errors(error: LastclickError, /) -> NoReturn:
    """Raise the error; the ``on_error`` for tests.

    Example:
        >>> raise_errors(EventError("checkout_id is empty", "no_checkout_id"))
        Traceback (most recent call last):
        ...
        lastclick.errors.EventError: checkout_id is empty

    .. versionadded:: 0.1.0
    """
    raise error
