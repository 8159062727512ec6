"""The command `lastclick collect`: started, stopped, killed, and put behind nginx."""

import gzip
import http.client
import json
import os
import random
import re
import shutil
import socket
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

import pytest

pytest.importorskip("typer", reason="the extra 'collect' is not installed")
pytest.importorskip("starlette", reason="the extra 'collect' is not installed")
pytest.importorskip("uvicorn", reason="the extra 'collect' is not installed")
pytest.importorskip("prometheus_client", reason="the extra 'collect' is not installed")

from typer.testing import CliRunner

from lastclick.cli import app
from lastclick.sinks._webhooks import Secrets, sign
from tests.collect.collector import Collector, ids, line, lines, secret, start, written

ROOT = Path(__file__).parent.parent.parent


def command(log: Path, *more: object) -> list[str]:
    """The command on a free port."""
    given = ["--listen", "127.0.0.1:0", "--to", str(log), *map(str, more)]
    return [sys.executable, "-m", "lastclick", "collect", *given]


def run(*arguments: object, **environment: str):
    """Run the command in this process, where it ends before it serves."""
    given = ["collect", *map(str, arguments)]
    return CliRunner().invoke(app, given, prog_name="lastclick", env=environment)


@contextmanager
def running(log: Path, *more: object, **environment: str) -> Iterator[Collector]:
    """The command, killed at the end if it still runs."""
    collector = start(command(log, *more), env={**os.environ, **environment})
    try:
        yield collector
    finally:
        collector.process.kill()
        collector.process.communicate()


# Started -----------------------------------------------------------------------------------------


def test_it_says_where_it_collects_and_that_anybody_may_send(tmp_path: Path) -> None:
    """Without secrets, a sentence on stderr says what that means."""
    with running(tmp_path / "log") as collector:
        assert collector.send(lines(1)).status == 200
        assert collector.stop() == 0
        told = collector.process.stderr.read()

    assert told == "lastclick: no secrets: whoever reaches this may write to the log\n"
    assert ids(tmp_path / "log") == ["e-1"]


def test_a_file_of_secrets_that_is_no_text_is_a_sentence(tmp_path: Path) -> None:
    """What is not UTF-8 is wrong usage, and not a traceback."""
    file = tmp_path / "secrets"
    file.write_bytes(b"\xff\xfe\x00")

    done = run("--to", tmp_path / "log", "--secrets", file)

    assert done.exit_code == 2
    assert done.stderr == (
        f"lastclick: {file} is no text in UTF-8; name the right file, or save it as UTF-8\n"
    )


def test_secrets_come_from_a_file_and_from_the_environment(tmp_path: Path) -> None:
    """One a line or with spaces between them; all of them are known, and none is shown."""
    file = tmp_path / "secrets"
    file.write_text(f"{secret(1)}\n{secret(2)}\n")
    with running(
        tmp_path / "log", "--secrets", file, LASTCLICK_SECRETS=f"{secret(3)} {secret(4)}"
    ) as collector:
        found = [
            collector.send_signed(lines(number), secrets=secret(number)).status
            for number in range(1, 6)
        ]
        arguments = Path(f"/proc/{collector.process.pid}/cmdline").read_bytes()
        assert collector.stop() == 0
        told = collector.process.stderr.read()

    assert found == [200, 200, 200, 200, 401]
    assert b"whsec_" not in arguments
    assert told == ""


@pytest.mark.parametrize(
    ("arguments", "environment", "told"),
    [
        (["--listen", "8787"], {}, "listen at host:port, such as 127.0.0.1:8787, not '8787'"),
        (["--listen", "127.0.0.1:99999"], {}, "listen at host:port"),
        (["--listen", "[::1:80"], {}, "listen at host:port"),
        (["--listen", "203.0.113.1:8787"], {}, "Cannot assign requested address"),
        (["--remember", "soon"], {}, "--remember soon: not a duration"),
        (["--remember", "0d"], {}, "remember is a timedelta above 0"),
        (["--secrets", "nowhere"], {}, "No such file"),
        (["--secrets", "/dev/null"], {}, "no secret to sign or verify with"),
        ([], {"LASTCLICK_SECRETS": " "}, "no secret to sign or verify with"),
        ([], {"LASTCLICK_SECRETS": "hunter2"}, "secret 1 of 1 does not begin with 'whsec_'"),
        (["--to", "/proc/nowhere"], {}, "cannot write to directory"),
    ],
)
def test_wrong_usage_is_told_in_a_sentence(
    tmp_path: Path, arguments: list[str], environment: dict[str, str], told: str
) -> None:
    """The exit code is 2, and no secret is shown."""
    found = run("--to", tmp_path / "log", *arguments, **environment)

    assert found.exit_code == 2
    assert told in found.output
    assert "hunter2" not in found.output
    assert "Traceback" not in found.output


@pytest.mark.parametrize("missing", ["starlette", "uvicorn", "prometheus_client"])
def test_without_its_extra_the_command_names_it(tmp_path: Path, missing: str) -> None:
    """One sentence says what to install; the other commands work without."""
    blocked = f"import runpy, sys; sys.modules[{missing!r}] = None; sys.argv[0] = 'lastclick'; "
    code = blocked + "runpy.run_module('lastclick', {}, '__main__')"

    done = subprocess.run(
        [sys.executable, "-c", code, "collect", "--to", tmp_path], capture_output=True, text=True
    )
    other = subprocess.run(
        [sys.executable, "-c", code, "--version"], capture_output=True, text=True
    )

    sentence = "lastclick: collecting needs the extra 'collect': pip install 'lastclick[collect]'\n"
    assert (done.returncode, done.stdout, done.stderr) == (2, "", sentence)
    assert other.returncode == 0


def test_a_second_collector_on_one_log_is_refused(tmp_path: Path) -> None:
    """In a sentence; the first goes on."""
    with running(tmp_path) as first:
        second = subprocess.run(command(tmp_path), capture_output=True, text=True)

        assert second.returncode == 2
        assert "another collector writes to" in second.stderr
        assert first.send(lines(1)).status == 200


def test_an_address_of_version_6_is_one_too(tmp_path: Path) -> None:
    """Written in brackets, as in a URL."""
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError:
        pytest.skip("there is no IPv6 here")

    with running(tmp_path, "--listen", "[::1]:0") as collector:
        connection = http.client.HTTPConnection("::1", collector.port, timeout=30)
        connection.request("GET", "/health")
        assert connection.getresponse().status == 200
        connection.close()
        assert collector.stop() == 0


# Ended -------------------------------------------------------------------------------------------


def test_what_is_under_way_is_finished_before_the_end(tmp_path: Path) -> None:
    """SIGTERM lets a request arrive that was begun, answers it, and takes no new one; then 0."""
    body = lines(1)
    with running(tmp_path) as collector:
        connection = socket.create_connection(("127.0.0.1", collector.port), timeout=30)
        head = f"POST /v1/events HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n"
        connection.sendall(head.encode() + b"Content-Type: application/x-ndjson\r\n\r\n" + body[:9])
        while not collector.figure("held_bytes"):
            time.sleep(0.01)
        collector.process.terminate()
        deadline = time.monotonic() + 30
        with suppress(ConnectionRefusedError):
            while time.monotonic() < deadline:
                socket.create_connection(("127.0.0.1", collector.port)).close()
                time.sleep(0.02)
        connection.sendall(body[9:])
        answer = http.client.HTTPResponse(connection)
        answer.begin()
        accepted = json.loads(answer.read())["accepted"]
        ended = collector.process.wait(timeout=60)
        answer.close()
        connection.close()

    assert accepted == ["e-1"]
    assert ended == 0
    assert ids(tmp_path) == ["e-1"]


def test_a_restart_in_between_is_not_noticed(tmp_path: Path) -> None:
    """The same batch before and after is recorded once, whether it was stopped or killed."""
    batch = lines(*range(50))
    for end in (Collector.stop, Collector.kill, Collector.stop):
        with running(tmp_path) as collector:
            assert len(collector.send(batch).json["accepted"]) == 50
            end(collector)

    assert ids(tmp_path) == [f"e-{number}" for number in range(50)]


@pytest.mark.long
@pytest.mark.parametrize("seed", range(5))
def test_a_kill_loses_nothing_that_was_acknowledged(tmp_path: Path, seed: int) -> None:
    """Killed in the middle of a load; after a restart and a resend everything is there, once."""
    batches = [lines(*range(at, at + 50)) for at in range(0, 100_000, 50)]
    acknowledged: list[int] = []
    turn = iter(range(len(batches)))

    def send(collector: Collector) -> None:
        with suppress(OSError, http.client.HTTPException, ValueError):
            while (number := next(turn, None)) is not None:
                if len(collector.send(batches[number]).json["accepted"]) == 50:
                    acknowledged.append(number)

    with running(tmp_path) as collector:
        threads = [threading.Thread(target=send, args=(collector,)) for _ in range(6)]
        for thread in threads:
            thread.start()
        while len(acknowledged) < 50:
            time.sleep(0.001)
        time.sleep(random.Random(seed).random())
        collector.kill()
        for thread in threads:
            thread.join()

    before = ids(tmp_path)
    begun = next(turn, len(batches))
    with running(tmp_path) as collector:
        for batch in batches[:begun]:
            assert len(collector.send(batch).json["accepted"]) == 50
        assert collector.stop() == 0
    after = ids(tmp_path)

    promised = {f"e-{at * 50 + k}" for at in acknowledged for k in range(50)}
    assert len(acknowledged) >= 50
    assert promised <= set(before)
    assert set(after) == {f"e-{number}" for number in range(begun * 50)}
    assert len(after) == len(set(after))


@pytest.mark.long
def test_memory_stays_flat(tmp_path: Path) -> None:
    """50,000 events, each batch ten times: recorded once, in no more memory than the first few."""
    with running(tmp_path) as collector:
        for number in range(100):
            batch = lines(*range(number * 500, number * 500 + 500), note="n" * 100)
            for _ in range(10):
                assert len(collector.send_gzipped(batch).json["accepted"]) == 500
            if number == 19:
                early = collector.memory("VmHWM")
        late = collector.memory("VmHWM")
        assert collector.figure('events_total{result="duplicate"}') == 9 * 50_000
        assert collector.stop() == 0

    assert late - early < 16 * 1024 * 1024
    found = ids(tmp_path)
    assert len(found) == len(set(found)) == 50_000


# Behind nginx ------------------------------------------------------------------------------------


def free_port() -> int:
    """A port that nobody has right now."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        return server.getsockname()[1]


class Nginx:
    """The documented configuration, as it stands on the page but for ports and files."""

    def __init__(self, folder: Path, collector_port: int) -> None:
        self.folder = folder
        self.port = free_port()
        page = (ROOT / "docs/howto/collect.md").read_text(encoding="utf-8")
        block = re.search(r"^```text\n(# /etc/nginx/.*?)^```$", page, re.MULTILINE | re.DOTALL)[1]
        for there, here in (
            ("127.0.0.1:8787", f"127.0.0.1:{collector_port}"),
            ("listen 443 ssl", f"listen 127.0.0.1:{self.port} ssl"),
            ("/etc/ssl/collector.example/fullchain.pem", f"{folder}/cert.pem"),
            ("/etc/ssl/collector.example/privkey.pem", f"{folder}/key.pem"),
        ):
            assert there in block
            block = block.replace(there, here)
        (folder / "lastclick.conf").write_text(block)
        temporary = "".join(
            f"    {kind}_temp_path {folder}/{kind};\n"
            for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
        )
        (folder / "nginx.conf").write_text(
            f"daemon off;\n{'user root;' if os.geteuid() == 0 else ''}\npid {folder}/pid;\n"
            f"error_log {folder}/error.log;\nevents {{}}\nhttp {{\n    access_log off;\n"
            f"{temporary}    include {folder}/lastclick.conf;\n}}\n"
        )
        subject = ["-subj", "/CN=collector.example", "-addext", "subjectAltName=IP:127.0.0.1"]
        files = ["-keyout", folder / "key.pem", "-out", folder / "cert.pem"]
        make = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"]
        subprocess.run([*make, *subject, *files], check=True, capture_output=True)
        self.trusted = ssl.create_default_context(cafile=folder / "cert.pem")

    @contextmanager
    def running(self) -> Iterator[None]:
        log = self.folder / "error.log"
        given = ["nginx", "-p", self.folder, "-c", self.folder / "nginx.conf", "-e", log]
        process = subprocess.Popen(given, stderr=subprocess.PIPE, text=True)
        try:
            deadline = time.monotonic() + 30
            while process.poll() is None and time.monotonic() < deadline:
                with suppress(OSError):
                    socket.create_connection(("127.0.0.1", self.port)).close()
                    break
                time.sleep(0.05)
            yield
        finally:
            process.terminate()
            told = process.communicate(timeout=30)[1]
            print(told, log.read_text() if log.exists() else "")

    def post(self, *contents: bytes, path: str = "/v1/events", **more: str) -> list[tuple]:
        """POST signed and gzipped events on one connection; the statuses and the answers."""
        found = []
        with closing(
            http.client.HTTPSConnection("127.0.0.1", self.port, timeout=60, context=self.trusted)
        ) as connection:
            for content in contents:
                signed = sign(Secrets(secret()), "msg-1", int(time.time()), content)
                kind = {"Content-Type": "application/x-ndjson", "Content-Encoding": "gzip"}
                connection.request("POST", path, gzip.compress(content), {**kind, **signed, **more})
                answer = connection.getresponse()
                found.append((answer.status, answer.read()))
        return found

    def dawdle(self) -> bytes:
        """What a sender is told of which the body does not come."""
        with (
            socket.create_connection(("127.0.0.1", self.port), timeout=60) as plain,
            self.trusted.wrap_socket(plain, server_hostname="127.0.0.1") as connection,
        ):
            connection.sendall(b"POST /v1/events HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n{")
            answer = b""
            while part := connection.recv(65536):
                answer += part
            return answer


@pytest.mark.long
def test_it_runs_behind_nginx_as_documented(tmp_path: Path) -> None:
    """The block of the page, in a real nginx: TLS, signatures, sizes, slow senders, restarts."""
    if shutil.which("nginx") is None or shutil.which("openssl") is None:
        pytest.skip("nginx and openssl are not installed (apt-get install nginx)")
    log = tmp_path / "log"
    port = free_port()
    given = ("--listen", f"127.0.0.1:{port}")
    secrets = {"LASTCLICK_SECRETS": secret()}
    nginx = Nginx(tmp_path, port)

    # Random text, so that it is as large gzipped.
    large = b"".join(line(n, note=os.urandom(2000).hex()) + b"\n" for n in range(900))

    with nginx.running():
        with running(log, *given, **secrets) as collector:
            taken = nginx.post(*(lines(number) for number in range(20)))
            tampered = nginx.post(lines("bad"), **{"webhook-signature": "v1,AAAA"})
            inside = [nginx.post(b"", path=path)[0][0] for path in ("/health", "/metrics", "/")]
            sized = nginx.post(large) + nginx.post(large * 3)
            told = nginx.dawdle()
            seen = collector.figure('requests_total{status="408"}')
            assert collector.stop() == 0
        away = nginx.post(lines("away"))
        with running(log, *given, **secrets):
            back = nginx.post(*(lines(number) for number in (*range(5), "away")))

    assert [status for status, _ in taken] == [200] * 20
    assert [json.loads(body)["accepted"] for _, body in taken] == [[f"e-{n}"] for n in range(20)]
    assert tampered[0][0] == 401
    assert inside == [404, 404, 404]
    assert [status for status, _ in sized] == [200, 413]
    assert (told.split(b"\r\n")[0], seen) in {(b"", 0), (b"HTTP/1.1 408 Request Time-out", 0)}
    assert away[0][0] == 502
    assert [status for status, _ in back] == [200] * 6
    found = ids(log)
    assert {f"e-{n}" for n in range(900)} | {"e-away"} == set(found)
    assert found.count("e-1") == 2  # with a note and without are two
    assert len(written(log)) == 20 + 900 + 1
