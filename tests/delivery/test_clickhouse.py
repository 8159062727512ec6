"""The page on ClickHouse, done for real: its sink, its report and its query; and a real server.

The present ClickHouse is within chdb; Debian's server is an old one, which must be told as such.
"""

import re
import shutil
import subprocess
import textwrap
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace

import pytest

pytest.importorskip("urllib3")

from lastclick import Funnel, measure, read_log
from lastclick.engines import clickhouse as engine
from lastclick.errors import LogError
from lastclick.sinks import FileSink, MemorySink
from tests.delivery.shop import ROOT, wait_until
from tests.delivery.test_servers import answers, free_port
from tests.engines.chdb_server import ChdbServer

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


@pytest.fixture
def present() -> Iterator[ChdbServer]:
    """The present ClickHouse, with the page's database and table."""
    pytest.importorskip("chdb", reason="needs chdb")
    server = ChdbServer()
    server.run("CREATE DATABASE lastclick ENGINE = Atomic")
    server.run(engine.table("lastclick.events"))
    yield server
    server.close()


@pytest.fixture
def page(present: ChdbServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """What the page defines, with our server in the place of its own."""
    monkeypatch.chdir(tmp_path)
    names: dict = {}
    for block in blocks("python"):
        exec(block.replace("http://clickhouse.example:8123", present.url), names)  # noqa: S102
    url = f"{present.url}/?{names['insert']}"
    return SimpleNamespace(**names, query=blocks("text")[-1], address=url)


def go_shopping(funnel: Funnel, day: datetime) -> None:
    """300 attempts over three days; two in three buy; names and notes that want quoting."""
    for number in range(300):
        at = day + timedelta(minutes=10 * number)
        attributes = {"device": "mobile" if number % 2 else "desktop"}
        if number % 4 == 0:
            attributes["note"] = 'crème "brûlée"\\\t'
        checkout = funnel.checkout(f"c-{number}", f"u-{number % 50}", attributes)
        checkout.enter("cart", value=("59.90", "EUR"), at=at, event_id=f"cart-{number}")
        checkout.enter("payment", at=at + timedelta(seconds=30), event_id=f"payment-{number}")
        if number % 3:
            bought = at + timedelta(seconds=60)
            checkout.complete(
                f"o-{number}", ("64.80", "EUR"), at=bought, event_id=f"order-{number}"
            )


def test_the_page_records_and_reads(page: SimpleNamespace, present: ChdbServer) -> None:
    """Events go in by the page's sink, many of them twice; report and query are right."""
    day = datetime(2026, 10, 1, tzinfo=UTC)
    memory = MemorySink()
    expected = Funnel("checkout", steps=("cart", "payment"), sink=memory)
    go_shopping(expected, day)

    go_shopping(page.funnel, day)
    assert page.funnel.flush(30) is True
    resent = page.HttpSink(page.address, headers=page.LOGIN)
    for event in memory.events[:200]:
        resent.emit(event)
    assert resent.close(30) is True
    assert page.funnel.close(30) is True

    assert page.sink.stats.lost == {}
    count = "SELECT count(), uniqExact(event_id), uniqExactIf(event_id, kind >= 0)"
    count += " FROM lastclick.events WHERE type != 'funnel_declared' FORMAT JSONCompactEachRow"
    ((total, distinct, usual),) = present.run(count)
    assert int(distinct) == 800
    assert int(usual) == 600
    assert 800 <= int(total) <= 1_000
    report = page.report("checkout")
    assert report.to_dict()["started"] == measure(memory.records).to_dict()["started"] == 300
    told = re.sub(r"\d+ redelivered", "0 redelivered", report.to_markdown())
    assert told == measure(memory.records).to_markdown()
    days = present.run(f"{page.query} FORMAT JSONCompactEachRow")
    assert [day for day, *_ in days] == ["2026-10-01", "2026-10-02", "2026-10-03"]
    assert sum(int(ordered) for *_, ordered in days) == report.ordered == 200
    assert sum(int(attempts) for _, attempts, _ in days) in {300, 301, 302}  # midnight is within


def test_the_page_loads_a_packed_log(page: SimpleNamespace, tmp_path: Path) -> None:
    """With segments that are not packed yet, and twice: the report is that of reading it."""
    pytest.importorskip("duckdb")
    from lastclick.engines.duckdb import pack

    for name, day in (("old", 1), ("new", 5)):
        with Funnel(
            "checkout", steps=("cart", "payment"), sink=FileSink(tmp_path / name)
        ) as funnel:
            go_shopping(funnel, datetime(2026, 10, day, tzinfo=UTC))
    pack(tmp_path / "old", tmp_path / "new" / "packed")

    page.load(tmp_path / "new")
    page.load(tmp_path / "new")

    report = measure(read_log(tmp_path / "new"))
    assert report.started == 300
    assert page.report(None).to_dict() == report.to_dict()


def test_the_page_shows_the_table() -> None:
    """What it shows of the definition is the definition's."""
    shown = [line.strip() for line in blocks("text")[0].splitlines() if line.strip() != "..."]

    defined = [line.strip() for line in engine.table("lastclick.events").splitlines()]

    assert [line for line in shown if line not in defined] == []


def test_an_old_server_is_told_as_such(clickhouse: str) -> None:
    """A real server, reached and logged in to, that lacks what the statements rest on."""
    login = {"X-ClickHouse-User": "shop", "X-ClickHouse-Key": "5up3r"}

    with pytest.raises(LogError, match=r"code 115\); it needs ClickHouse 24.12 or later"):
        engine.measure("default.events", url=clickhouse, headers=login)


def test_a_wrong_password_is_told_as_such(clickhouse: str) -> None:
    """The same server refuses it; neither password nor key is in the message."""
    url = clickhouse.replace("//", "//shop:wr0ng@")

    with pytest.raises(LogError, match="check the user and the password") as refused:
        engine.measure("default.events", url=url)

    assert "wr0ng" not in str(refused.value)
