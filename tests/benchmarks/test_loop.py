"""What the thread of an event loop does under a real uvicorn: no network, no wait for a disk."""

import pytest

pytest.importorskip("starlette")
pytest.importorskip("uvicorn")
pytest.importorskip("urllib3")
pytest.importorskip("itsdangerous")

from benchmarks.child import run

WAITS = {"socket.connect", "socket.getaddrinfo", "socket.gethostbyname", "fsync", "fdatasync"}


@pytest.mark.long
@pytest.mark.parametrize("app", ["file", "exit", "http", "spool"])
def test_nothing_waits_on_the_thread_of_the_loop(app):
    """It appends each event once at most, to the page cache; threads do whatever may wait."""
    told = run("benchmarks.loop", "--app", app, "--requests", "40", "--watch", timeout=120)

    assert told["told"] == 140  # a hundred to warm up
    assert not WAITS & told["loop"].keys()
    assert "time.sleep" not in told["loop"]
    assert told["loop"].get("write", 0) == (40 if app in ("file", "spool") else 0)
    if app == "exit":
        assert told["others"]["write"] > 0
