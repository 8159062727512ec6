"""Where requests go, and what each of them carries."""

import base64
import gzip
import sys
from collections.abc import Callable, Mapping, Sequence
from importlib.metadata import version
from urllib.parse import unquote, urlsplit

from lastclick.errors import ConfigError, shown
from lastclick.sinks._webhooks import Secrets

_WRONG_URL = "pass where to POST to, such as 'https://collector.example/v1/events'"


class Receiver:
    """A receiver's address and what is sent with each request; shows no secret.

    Args:
        url: Where to POST to.
        headers: Sent with each request.
        signing: Standard Webhooks secrets.
        compression: ``"gzip"``, ``"zstd"`` or None.

    Raises:
        ConfigError: One of them cannot be used. The message shows no secret.
    """

    def __init__(
        self, url: object, headers: object, signing: str | Sequence[str], compression: object
    ) -> None:
        if not isinstance(url, str):
            raise ConfigError(f"url is {type(url).__name__}; {_WRONG_URL}")
        flaw = _flaw(url)
        if flaw is not None:
            raise ConfigError(f"{flaw}; {_WRONG_URL}")
        parts = urlsplit(url)
        self.scheme = parts.scheme
        self.host = parts.hostname or ""
        self.origin = f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"
        #: What it is called in messages: a query may hold credentials.
        self.name = f"{self.origin}{parts.path or '/'}"
        self._query = parts.query
        self.url = f"{self.name}?{parts.query}" if parts.query else self.name
        self._given = _headers(headers)
        self.headers = {"User-Agent": f"lastclick/{version('lastclick')}", **self._given}
        if parts.username is not None:
            pair = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
            basic = f"Basic {base64.b64encode(pair.encode()).decode()}"
            self._given = {"Authorization": basic, **self._given}
            self.headers = {**self._given, **self.headers}
        self.secrets = Secrets(signing) if signing else None
        self.encoding, self.compress = _compression(compression)

    def __repr__(self) -> str:
        return f"<receiver {self.name}>"

    def masked(self, text: str) -> str:
        """The text without what only the two ends should know."""
        for secret in (self._query, *self._given.values()):
            if secret:
                text = text.replace(secret, "***")
        return text

    def has(self, url: str) -> bool:
        """Whether the address is at the same host, by the same scheme and port."""
        return url.startswith(f"{self.origin}/")


def _flaw(url: str) -> str | None:
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError:
        return "url is not an address"
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        return "url does not begin with http:// or https:// and a host"
    return None if url.isascii() and url.isprintable() and " " not in url else "url is not quoted"


def _headers(headers: object) -> dict[str, str]:
    if headers is None:
        return {}
    if not isinstance(headers, Mapping):
        kind = type(headers).__name__
        raise ConfigError(f"headers are {kind}; pass a mapping such as {{'Authorization': ...}}")
    for name, value in headers.items():
        if not isinstance(name, str) or not isinstance(value, str):
            raise ConfigError(f"header {shown(name)} is not text; pass text for name and value")
        if not (name + value).isascii() or not (name + value).isprintable():
            raise ConfigError(f"header {name!r} is not one line of ASCII; quote or encode it")
    return dict(headers)


def _compression(name: object) -> tuple[str | None, Callable[[bytes], bytes] | None]:
    if name is None:
        return None, None
    if name == "gzip":
        return "gzip", lambda content: gzip.compress(content, compresslevel=1, mtime=0)
    if name == "zstd":
        if sys.version_info >= (3, 14):
            from compression import zstd

            return "zstd", zstd.compress
        raise ConfigError("compression 'zstd' needs Python 3.14; choose 'gzip' or None")
    raise ConfigError(f"compression is {shown(name)}; choose 'gzip', 'zstd' or None")
