"""The page on ClickHouse, done for real: its table, its sink and its queries, on a real server."""

import re
import shutil
import subprocess
import textwrap
import urllib.request
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace

import pytest

pytest.importorskip("urllib3")

from lastclick import Funnel, measure
from lastclick.sinks import MemorySink
from tests.delivery.shop import ROOT, wait_until
from tests.delivery.test_servers import answers, free_port

pytestmark = pytest.mark.long

PAGE = (ROOT / "docs/howto/clickhouse.md").read_text()

CONFIG = """
    <yandex>
      <logger><level>warning</level><console>1</console></logger>
      <listen_host>127.0.0.1</listen_host>
      <http_port>{http}</http_port>
      <tcp_port>{tcp}</tcp_port>
      <path>{folder}/data/</path>
      <tmp_path>{folder}/tmp/</tmp_path>
      <users_config>{folder}/users.xml</users_config>
      <default_profile>default</default_profile>
      <default_database>default</default_database>
      <mark_cache_size>10000000</mark_cache_size>
    </yandex>
"""

USERS = """
    <yandex>
      <profiles><default/></profiles>
      <users>
        <shop>
          <password>5up3r</password>
          <networks><ip>127.0.0.1</ip></networks>
          <profile>default</profile>
          <quota>default</quota>
        </shop>
      </users>
      <quotas><default/></quotas>
    </yandex>
"""


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", PAGE, flags=re.DOTALL | re.MULTILINE)


@pytest.fixture(scope="module")
def clickhouse(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a ClickHouse of our own."""
    server = shutil.which("clickhouse-server")
    if server is None:
        pytest.skip("no clickhouse-server; scripts/servers installs Debian's")
    folder = tmp_path_factory.mktemp("clickhouse")
    port = free_port()
    config = CONFIG.format(http=port, tcp=free_port(), folder=folder)
    (folder / "config.xml").write_text(textwrap.dedent(config).strip())
    (folder / "users.xml").write_text(textwrap.dedent(USERS).strip())
    with (folder / "server.log").open("wb") as log:
        command = [server, f"--config-file={folder}/config.xml"]
        process = subprocess.Popen(command, cwd=folder, stdout=log, stderr=log)
    try:
        wait_until(lambda: answers(port, process, folder), 60)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.kill()
        process.wait()


def ask(address: str, query: str) -> str:
    login = {"X-ClickHouse-User": "shop", "X-ClickHouse-Key": "5up3r"}
    request = urllib.request.Request(address, query.encode(), login)
    with urllib.request.urlopen(request, timeout=30) as answer:
        return answer.read().decode()


@pytest.fixture
def page(clickhouse: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """What the page defines, with our server in the place of its own, on a table of its own."""
    monkeypatch.chdir(tmp_path)
    table, query = blocks("text")
    ask(clickhouse, "CREATE DATABASE IF NOT EXISTS lastclick")
    ask(clickhouse, "DROP TABLE IF EXISTS lastclick.events")
    ask(clickhouse, table)
    names: dict = {}
    for block in blocks("python"):
        exec(block.replace("http://clickhouse.example:8123", clickhouse), names)  # noqa: S102
    url = f"{clickhouse}/?{names['insert']}"
    return SimpleNamespace(**names, address=clickhouse, query=query, url=url)


def go_shopping(funnel: Funnel, day: datetime) -> None:
    """300 attempts over three days; two in three buy; names and notes that want quoting."""
    for number in range(300):
        at = day + timedelta(minutes=10 * number)
        attributes = {"device": "mobile" if number % 2 else "desktop", "note": 'crème "brûlée"\\\t'}
        checkout = funnel.checkout(f"c-{number}", f"u-{number % 50}", attributes)
        checkout.enter("cart", value=("59.90", "EUR"), at=at, event_id=f"cart-{number}")
        checkout.enter("payment", at=at + timedelta(seconds=30), event_id=f"payment-{number}")
        if number % 3:
            bought = at + timedelta(seconds=60)
            checkout.complete(
                f"o-{number}", ("64.80", "EUR"), at=bought, event_id=f"order-{number}"
            )


def test_the_page_records_and_reads(page: SimpleNamespace) -> None:
    """Events go in by the page's sink, a batch of them twice; both of its readings are right."""
    day = datetime(2026, 10, 1, tzinfo=UTC)
    memory = MemorySink()
    expected = Funnel("checkout", steps=("cart", "payment"), sink=memory)
    go_shopping(expected, day)

    go_shopping(page.funnel, day)
    assert page.funnel.flush(30) is True
    resent = page.HttpSink(page.url, body=page.rows, headers=page.LOGIN)
    for event in memory.events[:200]:
        resent.emit(event)
    assert resent.close(30) is True
    assert page.funnel.close(30) is True

    count = (
        "SELECT count(), uniqExact(event_id) FROM lastclick.events WHERE type != 'funnel_declared'"
    )
    total, distinct = map(int, ask(page.address, count).split())
    assert distinct == 800
    assert distinct <= total <= 1_000
    report = page.report("checkout")
    assert report.to_dict()["started"] == measure(memory.records).to_dict()["started"] == 300
    assert report.to_markdown() == measure(memory.records).to_markdown()
    days = [line.split("\t") for line in ask(page.address, page.query).splitlines()]
    assert [day for day, *_ in days] == ["2026-10-01", "2026-10-02", "2026-10-03"]
    assert sum(int(ordered) for *_, ordered in days) == report.ordered == 200
    assert sum(int(attempts) for _, attempts, _ in days) in {300, 301, 302}  # midnight is within


def test_what_clickhouse_refuses_goes_alone(page: SimpleNamespace) -> None:
    """A row that ClickHouse cannot read is found, and the others arrive."""

    def poisoned(lines):
        for payload in page.rows(lines):
            bad = payload.content.replace(b'"checkout_id": "c-7"', b'"checkout_id": 7')
            yield payload._replace(content=bad)

    sink = page.HttpSink(page.url, "spool", body=poisoned, headers=page.LOGIN)
    funnel = Funnel("checkout", steps=("cart", "payment"), sink=sink)
    go_shopping(funnel, datetime(2026, 10, 1, tzinfo=UTC))

    assert funnel.close(60) is True

    refused = sink.stats.dead_letters
    count = "SELECT uniqExact(event_id) FROM lastclick.events WHERE type NOT IN "
    count += "('funnel_declared', 'events_lost')"
    assert refused == 3  # cart, payment and order of c-7
    assert int(ask(page.address, count)) == 800 - refused
