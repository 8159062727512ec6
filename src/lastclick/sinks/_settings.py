"""Settings of a `FileSink`: wrong ones raise at once."""

import errno
import os
from datetime import timedelta
from pathlib import Path
from typing import Literal, get_args

from lastclick.errors import ConfigError
from lastclick.sinks._segment import make_directory

Durability = Literal["process", "power", "exit"]

#: A disk that is full now.
_FULL = frozenset({errno.ENOSPC, errno.EDQUOT})


def check(
    durability: object, max_bytes: object, max_age: object, compress: object, keep_for: object
) -> None:
    if durability not in get_args(Durability):
        choices = ", ".join(repr(choice) for choice in get_args(Durability))
        raise ConfigError(f"unknown durability {durability!r}; choose one of {choices}")
    if type(max_bytes) is not int or max_bytes < 1:
        raise ConfigError(f"max_bytes is a whole number of 1 or more, not {max_bytes!r}")
    if not isinstance(max_age, timedelta) or max_age <= timedelta(0):
        raise ConfigError(f"max_age is a timedelta above 0, not {max_age!r}")
    if not isinstance(compress, bool):
        raise ConfigError(f"compress is True or False, not {compress!r}")
    if keep_for is not None and not (isinstance(keep_for, timedelta) and keep_for > timedelta(0)):
        raise ConfigError(f"keep_for is a timedelta above 0, or None to keep all, not {keep_for!r}")


def usable_directory(directory: object, *, name: str = "directory", power: bool = False) -> Path:
    """The directory as an absolute path, made if need be, and tried out by making one in it."""
    if not isinstance(directory, str | os.PathLike) or not str(directory):
        raise ConfigError(f"{name} is a path such as 'var/lastclick', not {directory!r}")
    home = os.path.expanduser(directory)  # noqa: PTH111 - that of pathlib raises where there is none
    if home != os.fspath(directory):
        msg = f"{name} is {str(directory)!r}, and '~' is not expanded here; pass {home!r}"
        raise ConfigError(msg)
    path = Path(directory).absolute()  # a daemon may change its working directory later
    probe = path / f".lastclick-{os.getpid()}-{os.urandom(4).hex()}"
    try:
        make_directory(path, power=power)
        # Rights alone do not say it: root has them all, on a file system that is read-only too.
        probe.mkdir()
        probe.rmdir()
    except OSError as error:
        # A full disk is no wrong setting: it must not keep a shop from starting.
        if error.errno not in _FULL:
            msg = (
                f"cannot write to {name} {str(path)!r}: {error.strerror}; name one that this "
                f"process (user id {os.geteuid()}) may make or write to"
            )
            raise ConfigError(msg) from error
    except ValueError as error:  # a NUL, or what no encoding knows
        raise ConfigError(f"{name} is no path: {str(path)!r}: {error}") from error
    return path
