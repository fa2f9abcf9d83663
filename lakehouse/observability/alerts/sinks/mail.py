"""E-mail over SMTP."""

from __future__ import annotations

import smtplib
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from email.message import EmailMessage
from typing import Literal

from pydantic import ConfigDict, Field, SecretStr

from lakehouse.errors import ServiceDownError, ServiceRefusedError, TransientError
from lakehouse.observability.alerts.notification import Message
from lakehouse.observability.alerts.sinks.post import SECONDS
from lakehouse.observability.alerts.sinks.sink import Sink


class MailSink(Sink):
    """One mail with a line for each alert."""

    model_config = ConfigDict(validate_by_name=True, validate_by_alias=True)

    type: Literal["email"]
    host: str
    port: int = 587
    security: Literal["starttls", "tls", "none"] = "starttls"
    user: str | None = None
    password: SecretStr | None = None
    sender: str = Field(alias="from")
    to: list[str] = Field(min_length=1)

    def send(self, message: Message) -> None:
        with self._session() as session:
            session.send_message(self._mail(message))

    def _mail(self, message: Message) -> EmailMessage:
        mail = EmailMessage()
        mail["From"] = self.sender
        mail["To"] = ", ".join(self.to)
        mail["Subject"] = message.subject
        first, last = message.notifications[0], message.notifications[-1]
        # The same for a message that is sent again: mail programs show it once.
        mail["Message-ID"] = f"<{first.id}-{last.id}.{first.at:%Y%m%d%H%M%S%f}@lakehouse.alerts>"
        mail["Auto-Submitted"] = "auto-generated"  # RFC 3834: nobody's absence note answers it
        mail.set_content("\n\n".join(message.lines()) + "\n")
        return mail

    @contextmanager
    def _session(self) -> Iterator[smtplib.SMTP]:
        where = f"mail server {self.host}:{self.port}"
        try:
            if self.security == "tls":
                server: smtplib.SMTP = smtplib.SMTP_SSL(
                    self.host, self.port, timeout=SECONDS, context=ssl.create_default_context()
                )
            else:
                server = smtplib.SMTP(self.host, self.port, timeout=SECONDS)
            with server as session:
                if self.security == "starttls":
                    session.starttls(context=ssl.create_default_context())
                if self.user and self.password:
                    session.login(self.user, self.password.get_secret_value())
                yield session
        except smtplib.SMTPResponseException as error:
            said = (
                error.smtp_error.decode(errors="replace")
                if isinstance(error.smtp_error, bytes)
                else error.smtp_error
            )
            problem = f"said {error.smtp_code} {' '.join(str(said).split())}"
            kind = TransientError if 400 <= error.smtp_code < 500 else ServiceRefusedError
            raise kind(problem, where=where) from error
        except smtplib.SMTPRecipientsRefused as error:
            raise ServiceRefusedError(f"refused {', '.join(error.recipients)}", where=where) from error
        except smtplib.SMTPNotSupportedError as error:
            raise ServiceRefusedError(str(error), where=where, remedy="see `security` of the sink") from error
        except (OSError, smtplib.SMTPException) as error:
            raise ServiceDownError(f"does not answer: {error}", where=where) from error
