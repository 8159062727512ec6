"""Who is no shopper."""

import pytest

from lastclick.integrations._traffic import is_crawler, is_prefetch, is_robot

SAFARI = (
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605.1.15"
    " (KHTML, like Gecko) Version/18.0 Mobile/15E148 Safari/604.1"
)


@pytest.mark.parametrize(
    "agent",
    [
        "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)",
        "Mozilla/5.0 (compatible; bingbot/2.0; +http://www.bing.com/bingbot.htm)",
        "Mozilla/5.0 (compatible; AhrefsBot/7.0; +http://ahrefs.com/robot/)",
        "facebookexternalhit/1.1",
        "python-requests/2.32",
        "curl/8.5.0",
        "Mozilla/5.0 HeadlessChrome/120.0",
        "Mozilla/5.0 (compatible; YandexBot/3.0)",
        "LinkScanner 3",
    ],
)
def test_a_crawler_says_so(agent):
    """Known ones, and those who call themselves what they are."""
    assert is_crawler(agent)


@pytest.mark.parametrize(
    "agent", [SAFARI, "Mozilla/5.0 (Linux; Android 9; CUBOT X19) Chrome/99", "", None]
)
def test_a_browser_is_no_crawler(agent):
    """Not even one on a telephone of a telling name, or one that says nothing."""
    assert not is_crawler(agent)


@pytest.mark.parametrize(
    "headers",
    [
        {"Sec-Purpose": "prefetch;prerender"},
        {"Purpose": "prefetch"},
        {"X-Moz": "prefetch"},
        {"X-Purpose": "preview"},
    ],
)
def test_a_page_fetched_in_advance_says_so(headers):
    """By one of four headers."""
    assert is_prefetch(headers.get)
    assert is_robot({**headers, "User-Agent": SAFARI}.get)
    assert not is_robot({"User-Agent": SAFARI}.get)
