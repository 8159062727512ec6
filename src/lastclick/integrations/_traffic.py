"""Who is no shopper: crawlers, and browsers that fetch a page before anybody asked for it."""

import re
from collections.abc import Callable

#: What crawlers and programs call themselves. A telephone is called CUBOT.
_CRAWLERS = re.compile(
    r"(?<!cu)bot\b|bot[/_-]|crawl|spider|slurp|scrap[ey]|scanner|archiver|facebookexternalhit"
    r"|mediapartners|bingpreview|skypeuripreview|google-(?:read-aloud|inspectiontool|safety)"
    r"|headless|lighthouse|pingdom|uptime|monitor|python-|httpx|aiohttp|go-http-client|curl/|wget"
    r"|libwww|java/|axios/|node-fetch|okhttp-crawler|phantomjs|feedfetcher|validator|proofpoint",
    re.IGNORECASE,
)
_PURPOSES = ("Sec-Purpose", "Purpose", "X-Purpose", "X-Moz")


def is_crawler(agent: str | None) -> bool:
    """Whether a program says that it is one. One that lies, or says nothing, is not recognised."""
    return bool(agent) and _CRAWLERS.search(str(agent)[:512]) is not None


def is_prefetch(header: Callable[[str], str | None]) -> bool:
    """Whether a browser fetches the page in advance: perhaps nobody will ever see it."""
    for name in _PURPOSES:
        purpose = header(name)
        if purpose and ("prefetch" in purpose.lower() or "preview" in purpose.lower()):
            return True
    return False


def is_robot(header: Callable[[str], str | None]) -> bool:
    """Whether nobody is looking at the page that was asked for.

    Args:
        header: Gives the request's header of that name.
    """
    return is_crawler(header("User-Agent")) or is_prefetch(header)
