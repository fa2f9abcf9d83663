"""Superset's dialect against a Flight server with a certificate of its own, that forgets who has logged in."""

from __future__ import annotations

import base64
import datetime as dt
import ipaddress
import secrets
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.flight as fl
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from lakehouse_tests.contract.test_superset_dialect import asked

pytestmark = pytest.mark.slow


class Authentication(fl.ServerMiddlewareFactory):
    """Every token is good for three calls: one statement and a half."""

    def __init__(self) -> None:
        self.logins = 0
        self.calls_left: dict[str, int] = {}

    def start_call(self, _info: Any, headers: dict[str, list[str]]) -> Any:
        scheme, _, given = headers["authorization"][0].partition(" ")
        if scheme == "Basic" and base64.b64decode(given) == b"someone:a-password":
            self.logins += 1
            token = secrets.token_hex(8)
            self.calls_left[token] = 3
            return Answer(token)
        if self.calls_left.get(given, 0) < 1:
            raise fl.FlightUnauthenticatedError("the token is unknown")
        self.calls_left[given] -= 1
        return Answer(given)


class Answer(fl.ServerMiddleware):
    def __init__(self, token: str) -> None:
        self.token = token

    def sending_headers(self) -> dict[str, str]:
        return {"authorization": f"Bearer {self.token}"}


class NoHandshake(fl.ServerAuthHandler):
    def authenticate(self, outgoing: Any, incoming: Any) -> None: ...

    def is_valid(self, _token: bytes) -> bytes:
        return b""


class Server(fl.FlightServerBase):
    def __init__(self, certificate: bytes, key: bytes) -> None:
        self.authentication = Authentication()
        super().__init__(
            "grpc+tls://127.0.0.1:0",
            auth_handler=NoHandshake(),
            tls_certificates=[(certificate, key)],
            middleware={"user": self.authentication},
        )

    def get_flight_info(self, _context: Any, descriptor: fl.FlightDescriptor) -> fl.FlightInfo:
        return fl.FlightInfo(
            pa.schema([("n", pa.int32())]), descriptor, [fl.FlightEndpoint(b"t", [])], -1, -1
        )

    def do_get(self, _context: Any, _ticket: fl.Ticket) -> fl.RecordBatchStream:
        return fl.RecordBatchStream(pa.table({"n": pa.array([1], pa.int32())}))


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, bytes]:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    now = dt.datetime.now(dt.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), False
        )
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), True)
        .sign(key, hashes.SHA256())
    )
    path = tmp_path_factory.mktemp("tls") / "certificate.pem"
    path.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    plain = serialization.NoEncryption()
    return path, key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, plain)


@pytest.fixture
def server(certificate: tuple[Path, bytes]) -> Iterator[Server]:
    path, key = certificate
    running = Server(path.read_bytes(), key)
    thread = threading.Thread(target=running.serve, daemon=True)
    thread.start()
    yield running
    running.shutdown()
    thread.join()


def answers(server: Server, options: str, times: int = 1) -> list[Any]:
    url = f"dremio+flight://someone:a-password@127.0.0.1:{server.port}/?{options}"
    queries = {f"q{number}": "SELECT 1" for number in range(times)}
    found = asked({"url": url, "plain": False, "queries": queries})["queries"]
    return [found[name].get("rows") or found[name]["error"] for name in queries]


def test_a_certificate_is_checked_by_default(server: Server, certificate: tuple[Path, bytes]) -> None:
    (refused,) = answers(server, "")
    assert refused.startswith("DatabaseError")
    assert answers(server, f"TrustedCerts={certificate[0]}") == [[["1"]]]
    assert answers(server, "DisableCertificateVerification=true") == [[["1"]]]


def test_a_token_that_is_not_known_any_more_is_replaced(server: Server) -> None:
    assert answers(server, "DisableCertificateVerification=true", times=3) == [[["1"]]] * 3
    assert server.authentication.logins > 1
