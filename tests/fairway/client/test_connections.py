"""Connections are encrypted, and only a host that a known authority vouches for is sent anything."""

import ssl
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from fairway.client import Credentials, Failed, Fairway
from tests.fairway.client.server import serving

KEYS = Credentials("AKIDEXAMPLE", "secret")


@pytest.fixture
def certificate(tmp_path) -> Path:
    """A certificate of 127.0.0.1 that vouches for itself, and its key."""
    key, name = ec.generate_private_key(ec.SECP256R1()), x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "test")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .sign(key, hashes.SHA256())
    )
    secret = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    file = tmp_path / "certificate.pem"
    file.write_bytes(made.public_bytes(serialization.Encoding.PEM) + secret)
    return file


def test_https_is_answered_where_the_authority_is_known_and_nothing_is_sent_where_it_is_not(certificate, monkeypatch):
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(certificate)
    monkeypatch.setattr("fairway.client.api.PAUSES_S", ())
    with serving(lambda _: (200, {"id": "1"}), tls=tls) as (url, seen):
        with pytest.raises(Failed, match="certificate verify failed"):
            Fairway(url=url, region="eu-west-1", credentials=KEYS).predict({"n": 1})
        assert seen == []
        monkeypatch.setenv("AWS_CA_BUNDLE", str(certificate))
        trusting = Fairway(url=url, region="eu-west-1", credentials=KEYS)
        assert [trusting.predict({"n": 1}) for _ in range(2)] == [{"id": "1"}] * 2
        assert len({request["connection"] for request in seen}) == 1
