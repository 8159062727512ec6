"""Sending by hand what is left in a spool: the library's half and the command."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

pytest.importorskip("urllib3", reason="needs the extra 'http'")
pytest.importorskip("typer", reason="needs the extra 'cli'")

from typer.testing import CliRunner

from lastclick import read_log
from lastclick.cli import app
from lastclick.sinks._part import Part
from tests.sinks.logs import declared, entered, fork, succeeded
from tests.sinks.receiver import OK, Receiver, Reply, Request, always, receiving

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as one:
        yield one


@pytest.fixture
def spool(tmp_path: Path, receiver: Receiver) -> Path:
    """A spool with 10 events that a killed process left."""
    from lastclick.sinks.http import HttpSink

    receiver.behave = always(Reply(503))
    spool = tmp_path / "spool"

    def work() -> None:
        sink = HttpSink(receiver.url, spool)
        sink.emit(declared())
        for number in range(10):
            sink.emit(entered(number))
        os.kill(os.getpid(), signal.SIGKILL)

    assert succeeded(fork(work))
    receiver.behave = always(OK)
    return spool


def ship(*arguments: object) -> tuple[int, str]:
    done = CliRunner().invoke(app, ["ship", *map(str, arguments)])
    assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
    return done.exit_code, done.output


def test_what_is_left_is_sent(spool: Path, receiver: Receiver) -> None:
    """All of it, and nothing stays behind."""
    assert ship(spool, "--url", receiver.url) == (
        0,
        f"{spool}: 10 events sent, 0 refused, 0 left\n",
    )

    assert len(receiver.shopper_ids) == 10
    assert list(spool.iterdir()) == []
    code, said = ship(spool, "--url", receiver.url)
    assert (code, said) == (0, f"{spool}: 0 events sent, 0 refused, 0 left\n")


def test_what_cannot_be_sent_stays(
    spool: Path, receiver: Receiver, caplog: pytest.LogCaptureFixture
) -> None:
    """A receiver that fails: the command gives up in time, and says what is left."""
    receiver.behave = always(Reply(503))

    code, said = ship(spool, "--url", receiver.url, "--patience", "1s")

    assert (code, said) == (1, f"{spool}: 0 events sent, 0 refused, 10 left\n")
    assert len([one for one in read_log(spool) if one.type == "step_entered"]) == 10


def test_a_part_in_use_is_left_alone(spool: Path, receiver: Receiver) -> None:
    """What a running process has is sent by that process."""
    live = Part.create(spool)

    code, said = ship(spool, "--url", receiver.url)

    assert code == 0
    assert "10 events sent" in said
    assert "1 parts belong to running processes, which send them" in said
    live.let_go()


def test_dead_letters_are_sent_when_asked(spool: Path, receiver: Receiver) -> None:
    """After the fault is mended they go out once more, without the reason that they were given."""

    def behave(request: Request) -> Reply:
        return Reply(422, b"no such step") if "e-3" in request.ids else OK

    receiver.behave = behave
    code, said = ship(spool, "--url", receiver.url)
    assert code == 1
    assert said.splitlines() == [
        f"{spool}: 9 events sent, 1 refused, 0 left",
        f"what was refused is in {spool}/dead-letters, with the reason",
    ]
    with next((spool / "dead-letters").iterdir()).open("ab") as letters:
        letters.write(b"no event\n")
    receiver.behave = always(OK)

    code, said = ship(spool, "--url", receiver.url, "--dead-letters")

    assert (code, said) == (0, f"{spool}: 1 events sent, 0 refused, 0 left\n")
    assert len(receiver.shopper_ids) == 10
    assert entered(3).line in receiver.taken
    (letters,) = (spool / "dead-letters").iterdir()
    assert letters.read_bytes() == b"no event\n"


def test_credentials_come_from_files(spool: Path, receiver: Receiver, tmp_path: Path) -> None:
    """Never from the command line, which every user of the machine can see."""
    (tmp_path / "headers").write_text("Authorization: Bearer 5up3r\n\nX-Shop: 7\n")
    (tmp_path / "secrets").write_text(SECRET)

    code, _ = ship(
        *(spool, "--url", receiver.url),
        *("--headers", tmp_path / "headers", "--secrets", tmp_path / "secrets"),
    )

    assert code == 0
    headers = receiver.requests[0].headers
    assert headers["Authorization"] == "Bearer 5up3r"
    assert headers["X-Shop"] == "7"
    assert headers["webhook-signature"].startswith("v1,")


def test_wrong_words_are_told(spool: Path, receiver: Receiver, tmp_path: Path) -> None:
    """Each with the way out, and exit code 2."""
    (tmp_path / "headers").write_text("Authorization: x\nBearer 5up3r\n")

    code, said = ship(tmp_path / "nowhere", "--url", receiver.url)
    assert code == 2
    assert "no spool at" in said
    code, said = ship(spool, "--url", receiver.url, "--headers", tmp_path / "headers")
    assert code == 2
    assert "line 2 is no header; write 'Name: value'" in said
    assert "5up3r" not in said
    code, said = ship(spool, "--url", "collector")
    assert code == 2
    assert "url does not begin with http:// or https://" in said


def test_a_missing_extra_is_one_sentence(spool: Path) -> None:
    """Who has no urllib3 reads what to install."""
    program = (
        "import sys; sys.modules['urllib3'] = None; "
        "from lastclick.cli import app; app(['ship', sys.argv[1], '--url', 'http://a/'])"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, spool], capture_output=True, text=True, check=False
    )

    assert done.returncode == 2
    assert done.stderr == (
        "lastclick: shipping needs the extra 'http': pip install 'lastclick[http]'\n"
    )
