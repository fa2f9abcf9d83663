"""What each sink sends, to real receivers."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import Any

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult, Envelope, LoginPassword, Session
from pydantic import TypeAdapter

from lakehouse.embedded.ports import free_port
from lakehouse.errors import ServiceDownError, ServiceRefusedError, TransientError
from lakehouse.observability.alerts.notification import MOST_LINES
from lakehouse.observability.alerts.sinks import AnySink
from lakehouse.observability.alerts.sinks.sink import Sink
from lakehouse_tests.observability.alerts.made import NOON, alert, message
from lakehouse_tests.observability.alerts.receiver import Receiver

FIRING = ("firing", alert())
OVER = ("resolved", alert(starts_at=NOON, ends_at=NOON.replace(hour=13)))


def sink(**declared: Any) -> Sink:
    made: Sink = TypeAdapter(AnySink).validate_python(declared)
    return made


def test_a_webhook_gets_what_alertmanagers_webhooks_have(receiver: Receiver) -> None:
    hook = sink(type="webhook", url=receiver.url, headers={"Authorization": "Bearer secret"})
    hook.send(message(FIRING, ("firing", alert("gold/days", severity="warning")), sink="hook"))
    hook.send(message(OVER, sink="hook"))
    first, last = receiver.bodies
    assert (first["version"], first["status"], first["receiver"]) == ("4", "firing", "hook")
    assert first["commonLabels"] == {"alertname": "AssetStale", "group": "gold", "owner": "team:commerce"}
    orders = first["alerts"][0]
    assert (orders["startsAt"], orders["endsAt"]) == (
        "2026-03-02T12:00:00+00:00",
        "0001-01-01T00:00:00+00:00",
    )
    assert orders["annotations"]["summary"] == "gold/orders is late"
    (over,) = last["alerts"]
    assert (last["status"], over["status"]) == ("resolved", "resolved")
    assert over["endsAt"] == "2026-03-02T13:00:00+00:00"
    assert over["fingerprint"] == orders["fingerprint"] != first["alerts"][1]["fingerprint"]
    assert receiver.headers[0]["authorization"] == "Bearer secret"
    assert "secret" not in repr(hook)


@pytest.mark.parametrize(
    ("status", "error"), [(503, TransientError), (429, TransientError), (404, ServiceRefusedError)]
)
def test_what_a_receiver_answers(receiver: Receiver, status: int, error: type[Exception]) -> None:
    receiver.status = status
    with pytest.raises(error, match=str(status)) as caught:
        sink(type="webhook", url=f"{receiver.url}/token").send(message(FIRING))
    assert "token" not in str(caught.value)


def test_nobody_at_home(receiver: Receiver) -> None:
    receiver.stop()
    with pytest.raises(ServiceDownError, match=f"127.0.0.1:{receiver.port}: does not answer"):
        sink(type="slack", url=receiver.url).send(message(FIRING))


def test_slack_gets_one_message_with_a_line_for_each(receiver: Receiver) -> None:
    slack = sink(type="slack", url=receiver.url)
    slack.send(message(("firing", alert(summary="a < b & c", severity="warning")), OVER))
    slack.send(message(OVER))
    both, over = receiver.bodies
    assert both["text"] == "[1 firing, 1 resolved] AssetStale"
    (attachment,) = both["attachments"]
    assert attachment["color"] == "warning"
    warning, resolved = attachment["text"].splitlines()
    assert warning.startswith(
        "[warning] AssetStale/gold/orders: a &lt; b &amp; c (team:commerce; docs/alerts.md"
    )
    assert resolved.startswith("[resolved] AssetStale/gold/orders: ")
    assert over["text"] == "[resolved] AssetStale/gold/orders"
    assert over["attachments"][0]["color"] == "good"


def test_a_flood_is_one_message_of_fifty_lines(receiver: Receiver) -> None:
    many = [("firing", alert(f"gold/{number}")) for number in range(1000)]
    sink(type="slack", url=receiver.url).send(message(*many))  # type: ignore[arg-type]
    lines = receiver.bodies[0]["attachments"][0]["text"].splitlines()
    assert len(lines) == MOST_LINES + 1
    assert lines[-1] == "… and 950 more; `lakehouse alerts list` shows what is firing"


class Mailbox:
    def __init__(self) -> None:
        self.mails: list[EmailMessage] = []
        self.answer = "250 OK"

    async def handle_DATA(self, server: object, session: Session, envelope: Envelope) -> str:  # noqa: N802
        if self.answer.startswith("250"):
            self.mails.append(message_from_bytes(envelope.content, policy=policy.default))  # type: ignore[arg-type]
        return self.answer


@pytest.fixture
def mailbox() -> Mailbox:
    return Mailbox()


@pytest.fixture
def mail_port(mailbox: Mailbox) -> Iterator[int]:
    def known(server: object, session: object, envelope: object, mechanism: str, data: object) -> AuthResult:
        return AuthResult(success=data == LoginPassword(b"lakehouse", b"pass"), handled=False)

    controller = Controller(
        mailbox, hostname="127.0.0.1", port=free_port(), authenticator=known, auth_require_tls=False
    )
    controller.start()
    yield controller.port
    controller.stop()


def mail_sink(port: int, **more: Any) -> Sink:
    base = {"type": "email", "host": "127.0.0.1", "port": port, "security": "none"}
    return sink(**{**base, "from": "lakehouse@example.com", "to": ["a@example.com", "b@example.com"], **more})


def test_a_mail(mailbox: Mailbox, mail_port: int) -> None:
    mails = mail_sink(mail_port, user="lakehouse", password="pass")
    mails.send(message(FIRING, OVER))
    mails.send(message(FIRING, OVER))
    first, again = mailbox.mails
    assert first["Subject"] == "[1 firing, 1 resolved] AssetStale"
    assert (first["From"], first["To"]) == ("lakehouse@example.com", "a@example.com, b@example.com")
    assert "[critical] AssetStale/gold/orders: gold/orders is late" in first.get_content()
    assert first["Message-ID"] == again["Message-ID"]


def test_what_a_mail_server_answers(mailbox: Mailbox, mail_port: int) -> None:
    mailbox.answer = "451 try again later"
    with pytest.raises(TransientError, match=rf"mail server 127.0.0.1:{mail_port}: said 451 try again later"):
        mail_sink(mail_port).send(message(FIRING))
    mailbox.answer = "554 no spam"
    with pytest.raises(ServiceRefusedError, match="said 554 no spam"):
        mail_sink(mail_port).send(message(FIRING))
    with pytest.raises(ServiceRefusedError, match="said 535"):
        mail_sink(mail_port, user="lakehouse", password="wrong").send(message(FIRING))
    with pytest.raises(ServiceRefusedError, match="see `security` of the sink"):
        mail_sink(mail_port, security="starttls").send(message(FIRING))
    with pytest.raises(ServiceDownError, match="does not answer"):
        mail_sink(free_port()).send(message(FIRING))


def test_the_log(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING, "lakehouse.alerts"):
        sink(type="log").send(message(FIRING, OVER))
    assert [(record.levelname, record.message.split(":")[0]) for record in caplog.records] == [
        ("ERROR", "[critical] AssetStale/gold/orders"),
        ("WARNING", "[resolved] AssetStale/gold/orders"),
    ]
