"""The independent servers that the long proofs run against; installed by scripts/servers."""

import json
import shutil
import subprocess
import sys
import urllib.request
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest


class Stub:
    """One address of a WireMock, with the answer that it gives; a receiver for `shop`."""

    def __init__(self, root: str) -> None:
        self._root = root
        self._id = str(uuid4())
        self.path = f"/{self._id}"
        self.url = f"{root}{self.path}"
        self.answer({"status": 200}, new=True)

    def answer(self, response: dict[str, Any], *, new: bool = False) -> None:
        """Answer so from now on."""
        stub = {
            "id": self._id,
            "request": {"urlPath": self.path, "method": "POST"},
            "response": response,
        }
        path = "/__admin/mappings" + ("" if new else f"/{self._id}")
        ask(f"{self._root}{path}", "POST" if new else "PUT", stub)

    @property
    def requests(self) -> list[tuple[bool, list[str]]]:
        """Of each request, oldest first: whether it was answered well, and its event ids."""
        journal = ask(f"{self._root}/__admin/requests", "GET")["requests"]
        own = [one for one in journal if one["request"]["url"] == self.path]
        return [
            (
                "fault" not in one["responseDefinition"] and one["response"]["status"] == 200,
                [json.loads(line)["event_id"] for line in one["request"]["body"].splitlines()],
            )
            for one in reversed(own)
        ]

    @property
    def events(self) -> Counter[str]:
        """What was taken in: WireMock keeps what it answers well, and nothing else."""
        return Counter(one for well, ids in self.requests for one in ids if well)


def ask(url: str, method: str, content: object = None) -> Any:
    body = None if content is None else json.dumps(content).encode()
    request = urllib.request.Request(url, body, {"Content-Type": "application/json"}, method=method)
    with urllib.request.urlopen(request, timeout=30) as answer:
        return json.load(answer)


@pytest.fixture(scope="session")
def wiremock(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a WireMock."""
    jars = sorted(Path(sys.prefix).glob("servers/node_modules/wiremock/build/*standalone*.jar"))
    if not jars:
        pytest.skip("no WireMock in this virtual environment; scripts/servers installs it")
    if shutil.which("java") is None:
        pytest.skip("WireMock needs Java")
    log = tmp_path_factory.mktemp("wiremock") / "log"
    command = ["java", "-jar", str(jars[-1]), "--port", "0", "--bind-address", "127.0.0.1"]
    with log.open("wb") as out:
        process = subprocess.Popen(command, stdout=out, stderr=out, cwd=log.parent)
    try:
        yield f"http://127.0.0.1:{port_in(log, process)}"
    finally:
        process.kill()
        process.wait()


def port_in(log: Path, process: subprocess.Popen[bytes]) -> int:
    """The port that a WireMock says it listens on."""
    from tests.delivery.shop import wait_until

    def told() -> list[str]:
        assert process.poll() is None, log.read_text()
        return [line for line in log.read_text().splitlines() if line.startswith("port:")]

    wait_until(told, 60)
    return int(told()[0].removeprefix("port:"))
