"""Where messages go: a webhook, a mail server, both or neither."""

from __future__ import annotations

import http.client
import json
import smtplib
import ssl
import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from email.message import EmailMessage
from typing import Protocol

from include.errors import PlumblineError, SettingsError
from include.settings import Settings

_SECONDS = 15


class AlertError(PlumblineError):
    """A message could not be handed over."""


class Message(Protocol):
    """What a channel can send. ``key`` is the same in every try, so that a receiver knows a repetition."""

    @property
    def key(self) -> str: ...

    @property
    def subject(self) -> str: ...

    @property
    def text(self) -> str: ...

    def as_json(self) -> dict[str, object]:
        """The body for a webhook."""
        ...


@dataclass(frozen=True, slots=True)
class Webhook:
    """A URL that takes a POST of JSON. The URL may hold a token, so it is never shown."""

    url: str
    name: str = "webhook"

    def send(self, message: Message) -> None:
        """POST the message; raises AlertError on anything but a 2xx, also where the address is none."""
        body = json.dumps(message.as_json()).encode()
        try:
            headers = {"Content-Type": "application/json", "Idempotency-Key": message.key}
            request = urllib.request.Request(self.url, data=body, headers=headers)
            with _OPENER.open(request, timeout=_SECONDS):
                return
        except urllib.error.HTTPError as refusal:
            raise _undelivered("the webhook", f"status {refusal.code}") from None
        except (OSError, ValueError, http.client.HTTPException) as problem:
            raise _undelivered("the webhook", type(problem).__name__) from None


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """A redirected POST would be sent on as a GET without its body: the message lost, and its address told to another."""

    def redirect_request(self, *_: object) -> None:
        return None


_OPENER = urllib.request.build_opener(_NoRedirect)


@dataclass(frozen=True, slots=True)
class Mail:
    """A mail server that relays for us. ``security``: 'starttls', 'tls' or 'none'."""

    host: str
    port: int
    sender: str
    recipients: tuple[str, ...]
    security: str = "starttls"
    user: str | None = None
    password: str | None = None
    name: str = "mail"

    def send(self, message: Message) -> None:
        """Hand the message to the server; raises AlertError when it does not take it for every recipient."""
        try:
            with self._connect() as server:
                if self.user:
                    server.login(self.user, self.password or "")
                refused = server.send_message(self._letter(message))
        except (OSError, smtplib.SMTPException) as problem:
            raise _undelivered("the mail server", type(problem).__name__) from None
        if refused:
            raise _undelivered("the mail server", f"{len(refused)} recipient(s) refused")

    def _connect(self) -> smtplib.SMTP:
        if self.security == "tls":
            context = ssl.create_default_context()
            return smtplib.SMTP_SSL(self.host, self.port, timeout=_SECONDS, context=context)
        server = smtplib.SMTP(self.host, self.port, timeout=_SECONDS)
        if self.security == "starttls":
            server.starttls(context=ssl.create_default_context())
        return server

    def _letter(self, message: Message) -> EmailMessage:
        letter = EmailMessage()
        letter["Subject"], letter["From"], letter["To"] = message.subject, self.sender, ", ".join(self.recipients)
        letter["Message-ID"] = f"<{message.key}@plumbline>"
        letter.set_content(message.text)
        return letter


def channels_from_environment(environment: Mapping[str, str], settings: Settings) -> tuple[Webhook | Mail, ...]:
    """The channels that are configured. Raises SettingsError naming everything that is missing or wrong at once.

    PLUMBLINE_ALERT_WEBHOOK (or the secret file ``alert_webhook``); PLUMBLINE_ALERT_SMTP_HOST, _PORT (587), _FROM, _TO
    (comma-separated), _SECURITY (starttls, tls or none), _USER with the secret file ``alert_smtp_password``.
    """
    hook = environment.get("PLUMBLINE_ALERT_WEBHOOK") or _secret_if_there(settings, "alert_webhook")
    smtp = {name: environment.get(f"PLUMBLINE_ALERT_SMTP_{name}", "") for name in _SMTP_NAMES}
    mail = (_read_mail(smtp, settings),) if any(smtp.values()) else ()
    return (*((Webhook(hook),) if hook else ()), *mail)


_SMTP_NAMES = ("HOST", "PORT", "FROM", "TO", "SECURITY", "USER")


def _read_mail(smtp: Mapping[str, str], settings: Settings) -> Mail:
    wrong = [f"PLUMBLINE_ALERT_SMTP_{name} is not set" for name in ("HOST", "FROM", "TO") if not smtp[name]]
    if smtp["PORT"] and not smtp["PORT"].isdigit():
        wrong.append("PLUMBLINE_ALERT_SMTP_PORT is not a number")
    if smtp["SECURITY"] not in ("", "starttls", "tls", "none"):
        wrong.append("PLUMBLINE_ALERT_SMTP_SECURITY is not starttls, tls or none")
    password = settings.secret("alert_smtp_password") if smtp["USER"] else None
    if password == "":
        wrong.append("the secret alert_smtp_password is empty")
    if wrong:
        raise SettingsError(
            found="; ".join(wrong),
            expected="a mail server, a sender and recipients, or none of them",
            action="see .env.example",
        )
    return Mail(
        host=smtp["HOST"],
        port=int(smtp["PORT"] or 587),
        sender=smtp["FROM"],
        recipients=tuple(address.strip() for address in smtp["TO"].split(",") if address.strip()),
        security=smtp["SECURITY"] or "starttls",
        user=smtp["USER"] or None,
        password=password,
    )


def _secret_if_there(settings: Settings, name: str) -> str | None:
    return settings.secret(name) if (settings.secrets_dir / name).is_file() else None


def _undelivered(where: str, why: str) -> AlertError:
    return AlertError(
        found=f"{where} did not take the message ({why})",
        expected="the message to be delivered",
        action="check the alert settings; what it tells is on the books: a night's verdict in governance.nights, a critical result "
        "in 'make alerts'",
    )
