"""HttpSink and a receiver that speaks TLS."""

import shutil
import ssl
import subprocess
from datetime import timedelta
from pathlib import Path

import pytest

pytest.importorskip("urllib3", reason="needs the extra 'http'")

from lastclick import errors
from lastclick.sinks.http import HttpSink, Retry
from tests.sinks.logs import entered, until
from tests.sinks.receiver import Receiver

PATIENCE_S = 10.0
SWIFT = Retry(first=timedelta(milliseconds=10), most=timedelta(milliseconds=50))
MAKE = (
    "openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=127.0.0.1 "
    "-addext subjectAltName=IP:127.0.0.1 -keyout key.pem -out certificate.pem"
)


@pytest.fixture
def context(tmp_path: Path) -> ssl.SSLContext:
    """With a certificate for 127.0.0.1 that nobody vouches for."""
    if shutil.which("openssl") is None:
        pytest.skip("openssl is not on this machine; it makes the certificate")
    subprocess.run(MAKE.split(), cwd=tmp_path, check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "certificate.pem", tmp_path / "key.pem")
    return context


def test_tls_is_verified(
    context: ssl.SSLContext,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """A receiver that nobody vouches for gets nothing; one that the system trusts does."""
    errors._logged.clear()
    receiver = Receiver(tls=context)
    try:
        stranger = HttpSink(receiver.url, retry=SWIFT)
        stranger.emit(entered(1))
        assert not stranger.flush(0.5)
        until(lambda: "certificate verify failed" in caplog.text)
        assert receiver.requests == []
        stranger.close(0)
        until(lambda: stranger._running[""].sender.ended)

        monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "certificate.pem"))
        known = HttpSink(receiver.url, retry=SWIFT)
        known.emit(entered(2))
        assert known.flush(PATIENCE_S)
        assert receiver.shopper_ids == ["e-2"]
    finally:
        receiver.stop()
