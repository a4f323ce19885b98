"""A server with a certificate, and workers and clients that trust it."""

from __future__ import annotations

import asyncio
import datetime
import ipaddress
import ssl
from collections.abc import AsyncIterator
from pathlib import Path

import httpx2
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from mainspring.cli.direct import DirectTransport
from mainspring.clock import ManualClock
from mainspring.errors import ConfigurationError, MainspringError, ServerUnreachable
from mainspring.server.app import build
from mainspring.server.serve import Listener, tls_context
from mainspring.settings import ServerSettings
from mainspring.wire.calls import ListTasks
from mainspring.wire.worker import Hello
from mainspring.worker.posts import Posts
from mainspring.worker.websocket import WebSocketLink
from tests.server.conftest import KEY, PEPPER, TableEngine


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate for 127.0.0.1 that signs itself, with its key, in one file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "mainspring test")])
    begin = datetime.datetime(2020, 1, 1, tzinfo=datetime.UTC)
    address = x509.IPAddress(ipaddress.ip_address("127.0.0.1"))
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(begin)
        .not_valid_after(begin.replace(year=2120))
        .add_extension(x509.SubjectAlternativeName([address]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    path = tmp_path_factory.mktemp("tls") / "server.pem"
    path.write_bytes(
        made.public_bytes(serialization.Encoding.PEM)
        + key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    return path


@pytest.fixture
async def url(engine: TableEngine, clock: ManualClock, certificate: Path) -> AsyncIterator[str]:
    """A server that speaks TLS only."""
    settings = ServerSettings(port=0, drain_s=1, tls_cert=str(certificate))
    listener = Listener(build(engine, settings, clock, pepper=PEPPER), settings)
    await listener.start()
    yield f"https://127.0.0.1:{listener.port}"
    await listener.stop()


async def test_a_client_that_trusts_the_certificate_is_answered(
    url: str, certificate: Path
) -> None:
    trust = ssl.create_default_context(cafile=str(certificate))
    headers = {"authorization": f"Bearer {KEY}"}
    async with httpx2.AsyncClient(base_url=url, headers=headers, verify=trust) as client:
        answer = await client.post("/api/v1/waitpoints/tokens", json={})
    assert answer.status_code == 200
    assert answer.json()["url"].startswith(f"{url}/api/")


async def test_a_client_that_does_not_trust_it_says_nothing_secret(url: str) -> None:
    async with httpx2.AsyncClient(base_url=url) as client:
        with pytest.raises(httpx2.ConnectError):
            await client.get("/healthz")


async def test_a_worker_links_and_beats_over_tls(
    url: str, certificate: Path, engine: TableEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    engine.alive.add("ses_1")
    link = WebSocketLink(url, KEY, lambda: Hello(1, "ses_1", 1, "", [], []))
    await link.start(lambda orders: None)
    try:
        async with asyncio.timeout(10):
            session = await engine.sessions.get()
    finally:
        await link.close()
    posts = Posts(url, KEY)
    assert session.hello.session_id == "ses_1"
    assert await asyncio.to_thread(posts.beat, "ses_1")
    posts.close()


async def test_a_command_asks_over_tls_and_trusts_nobody_else(
    url: str, certificate: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stranger = DirectTransport(url, KEY, attempts=1)
    with pytest.raises(ServerUnreachable, match="CERTIFICATE_VERIFY_FAILED"):
        await stranger.call(ListTasks())
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    friend = DirectTransport(url, KEY, attempts=1)
    with pytest.raises(MainspringError) as answered:  # this engine has no tasks to list
        await friend.call(ListTasks())
    assert not isinstance(answered.value, ServerUnreachable)
    await friend.close()


@pytest.mark.parametrize("content", [None, "", "no certificate"])
def test_a_certificate_that_cannot_be_used_is_told(tmp_path: Path, content: str | None) -> None:
    path = tmp_path / "server.pem"
    if content is not None:
        path.write_text(content)
    with pytest.raises(ConfigurationError, match=r"server\.pem"):
        tls_context(ServerSettings(tls_cert=str(path)))


def test_a_key_without_a_certificate_is_told() -> None:
    with pytest.raises(ConfigurationError, match="tls_cert"):
        tls_context(ServerSettings(tls_key="server.key"))
