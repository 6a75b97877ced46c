"""Messages of amber and red nights, taken by a real HTTP server and a real mail server."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest

from include.alerts.channels import AlertError, Mail, Webhook, channels_from_environment
from include.alerts.message import message_for
from include.alerts.tell import RedNightError, close_and_tell_unfinished, deliver, tell_verdict
from include.errors import SettingsError
from include.local_stack.ports import find_free_ports
from include.nights import open_night, record_failure, step
from include.settings import Settings
from include.verdict import NEEDED_STEPS, close_night
from include.warehouse.connect import connect

NIGHT = date(2026, 11, 23)
AMBER = [{"level": "amber", "promise": "No false green", "text": "optional source registry is stale"}]


class Hook(HTTPServer):
    """Takes POSTs; ``answers`` are the status codes to give, the last one for ever."""

    def __init__(self, *answers: int) -> None:
        super().__init__(("127.0.0.1", 0), _TakePost)
        self.answers, self.bodies, self.elsewhere = list(answers), [], None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/hooks/a-secret-token"


class _TakePost(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        self.server.bodies.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
        self.send_response(self.server.answers.pop(0) if len(self.server.answers) > 1 else self.server.answers[0])
        if self.server.elsewhere:
            self.send_header("Location", self.server.elsewhere)
        self.end_headers()

    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_: Any) -> None:
        return


def serving(hook: Hook) -> Iterator[Hook]:
    threading.Thread(target=hook.serve_forever, daemon=True).start()
    yield hook
    hook.shutdown()
    hook.server_close()


@pytest.fixture
def hook() -> Iterator[Hook]:
    yield from serving(Hook(200))


@pytest.fixture
def mailbox() -> Iterator[Any]:
    from aiosmtpd.controller import Controller

    class Mailbox:
        letters: list[Any] = []

        async def handle_RCPT(self, server, session, envelope, address, options):
            if address.startswith("nobody"):
                return "550 no such mailbox"
            envelope.rcpt_tos.append(address)
            return "250 OK"

        async def handle_DATA(self, server, session, envelope):
            self.letters.append(envelope)
            return "250 OK"

    box = Mailbox()
    box.letters = []
    (box.port,) = find_free_ports(1, taken=set())
    controller = Controller(box, hostname="127.0.0.1", port=box.port)
    controller.start()
    yield box
    controller.stop()


@pytest.fixture
def message():
    return message_for(NIGHT, "amber", AMBER, "reports/2026-11-23.html", True)


def close_as(settings: Settings, verdict: str, reasons: list[dict]) -> None:
    open_night(NIGHT, settings)
    with connect("publisher", "hot", settings) as books:
        books.execute("update lifecycle.night set verdict = %s, reasons = %s", [verdict, json.dumps(reasons)])


def test_a_webhook_gets_the_message_as_text_for_people_and_as_fields_for_programs(hook: Hook, message):
    Webhook(hook.url).send(message)
    assert hook.bodies == [
        {
            "text": "Night 2026-11-23 is amber: published, with something to look at.\n"
            "- amber: optional source registry is stale\nReport: reports/2026-11-23.html",
            "platform": "plumbline",
            "night": "2026-11-23",
            "verdict": "amber",
            "published": True,
            "reasons": ["amber: optional source registry is stale"],
            "report": "reports/2026-11-23.html",
        }
    ]


def test_mail_reaches_every_recipient_with_the_verdict_in_its_subject(mailbox, message):
    Mail("127.0.0.1", mailbox.port, "plumbline@example.org", ("a@example.org", "b@example.org"), "none").send(message)
    (letter,) = mailbox.letters
    assert letter.rcpt_tos == ["a@example.org", "b@example.org"]
    assert b"Subject: Plumbline 2026-11-23: amber, published, with something to look at" in letter.content
    assert b"optional source registry is stale" in letter.content


def test_a_recipient_that_the_server_refuses_is_an_error(mailbox, message):
    mail = Mail("127.0.0.1", mailbox.port, "p@example.org", ("a@example.org", "nobody@example.org"), "none")
    with pytest.raises(AlertError, match=r"the mail server did not take the message \(1 recipient\(s\) refused\)"):
        mail.send(message)


def test_mail_is_not_sent_in_clear_where_starttls_was_asked_for(mailbox, message):
    mail = Mail("127.0.0.1", mailbox.port, "p@example.org", ("a@example.org",), "starttls")
    with pytest.raises(AlertError, match="SMTPNotSupportedError"):
        mail.send(message)
    assert mailbox.letters == []


def test_an_undelivered_message_never_shows_the_webhook_s_address(message):
    with pytest.raises(AlertError, match=r"the webhook did not take the message \(URLError\)") as caught:
        Webhook("http://127.0.0.1:1/hooks/a-secret-token").send(message)
    assert "a-secret-token" not in str(caught.value)
    assert caught.value.__cause__ is None


def test_a_webhook_that_fails_twice_gets_the_message_at_the_third_try(message):
    waits: list[float] = []
    for hook in serving(Hook(500, 503, 204)):
        assert list(deliver(message, [Webhook(hook.url)], wait=waits.append)) == []
        assert (len(hook.bodies), waits) == (3, [0, 2, 8])


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_webhook_that_sends_us_elsewhere_has_not_taken_the_message(hook: Hook, message, status):
    for moved in serving(Hook(status)):
        moved.elsewhere = hook.url
        with pytest.raises(AlertError, match=rf"did not take the message \(status {status}\)"):
            Webhook(moved.url).send(message)
    assert hook.bodies == []


@pytest.mark.parametrize(
    "address", ["hooks.example.org/a-secret-token", "http://[a-secret-token", "gopher://a-secret-token"]
)
def test_an_address_that_is_none_is_an_undelivered_message_and_not_shown(hook: Hook, message, address):
    channels = [Webhook(address), Webhook(hook.url)]
    (undelivered,) = deliver(message, channels, wait=lambda seconds: None)
    assert "a-secret-token" not in str(undelivered)
    assert len(hook.bodies) == 1


def test_one_dead_channel_does_not_silence_the_other(hook: Hook, message):
    channels = [Webhook("http://127.0.0.1:1/"), Webhook(hook.url)]
    (undelivered,) = deliver(message, channels, wait=lambda seconds: None)
    assert "URLError" in str(undelivered)
    assert len(hook.bodies) == 1


def test_a_green_night_sends_nothing(fresh_hot: Settings, hook: Hook, monkeypatch):
    monkeypatch.setenv("PLUMBLINE_ALERT_WEBHOOK", hook.url)
    close_as(fresh_hot, "green", [])
    assert tell_verdict(NIGHT, fresh_hot) == "green"
    assert hook.bodies == []


def test_an_amber_night_is_told_and_is_no_error(fresh_hot: Settings, hook: Hook, monkeypatch):
    monkeypatch.setenv("PLUMBLINE_ALERT_WEBHOOK", hook.url)
    close_as(fresh_hot, "amber", AMBER)
    assert tell_verdict(NIGHT, fresh_hot) == "amber"
    assert [body["verdict"] for body in hook.bodies] == ["amber"]


def test_a_red_night_is_told_and_raises(fresh_hot: Settings, hook: Hook, monkeypatch):
    monkeypatch.setenv("PLUMBLINE_ALERT_WEBHOOK", hook.url)
    close_as(
        fresh_hot, "red", [{"level": "red", "promise": "Nothing leaks", "text": "leak: clinical.reports.display (2)"}]
    )
    with pytest.raises(RedNightError, match=r"2026-11-23 is red: red: leak: clinical.reports.display \(2\)"):
        tell_verdict(NIGHT, fresh_hot)
    assert [body["published"] for body in hook.bodies] == [False]


def test_a_night_that_failed_after_publishing_does_not_say_that_analysts_see_the_last_one(
    fresh_hot: Settings, hook: Hook, monkeypatch
):
    monkeypatch.setenv("PLUMBLINE_ALERT_WEBHOOK", hook.url)
    open_night(NIGHT, fresh_hot)
    for name in NEEDED_STEPS:
        with step(NIGHT, name, settings=fresh_hot):
            pass
    record_failure(NIGHT, "move", "MoveError", fresh_hot)
    assert close_night(NIGHT, fresh_hot) == "red"
    with pytest.raises(RedNightError, match="the step 'move' failed"):
        tell_verdict(NIGHT, fresh_hot)
    (body,) = hook.bodies
    assert body["published"] is True
    assert body["text"].startswith("Night 2026-11-23 is red: published, but a step after it failed.")


def test_a_night_that_was_stopped_is_closed_red_and_told_once(fresh_hot: Settings, hook: Hook, monkeypatch):
    monkeypatch.setenv("PLUMBLINE_ALERT_WEBHOOK", hook.url)
    open_night(NIGHT, fresh_hot)
    assert close_and_tell_unfinished(NIGHT, fresh_hot) == "red"
    assert close_and_tell_unfinished(NIGHT, fresh_hot) is None
    assert [body["verdict"] for body in hook.bodies] == ["red"]


def test_a_night_whose_opening_failed_is_red_and_not_nameless(fresh_hot: Settings):
    record_failure(NIGHT, "open", "OperationalError", fresh_hot)
    assert close_night(NIGHT, fresh_hot) == "red"
    with pytest.raises(RedNightError, match=r"the step 'open' failed \(OperationalError\)"):
        tell_verdict(NIGHT, fresh_hot)


def test_half_a_mail_configuration_names_all_that_is_missing(stack: Settings):
    environment = {"PLUMBLINE_ALERT_SMTP_HOST": "mail.example.org", "PLUMBLINE_ALERT_SMTP_PORT": "x"}
    with pytest.raises(SettingsError, match="_FROM is not set; .*_TO is not set; .*_PORT is not a number"):
        channels_from_environment(environment, stack)


def test_a_user_without_a_password_is_said_and_an_empty_webhook_is_none(stack: Settings, tmp_path):
    for name in ("alert_smtp_password", "alert_webhook"):
        (tmp_path / name).write_text("")
    empty = replace(stack, secrets_dir=tmp_path)
    assert channels_from_environment({}, empty) == ()
    mail = {f"PLUMBLINE_ALERT_SMTP_{name}": "x" for name in ("HOST", "FROM", "TO", "USER")}
    with pytest.raises(SettingsError, match="the secret alert_smtp_password is empty"):
        channels_from_environment(mail, empty)


def test_nothing_configured_is_nobody_told(stack: Settings):
    assert channels_from_environment({}, stack) == ()
