"""The live feed on the real database: durable before it is acknowledged, once, in order, sealed, and part of the next night."""

from __future__ import annotations

import asyncio
import contextlib
import datetime as clock
import ipaddress
import logging
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from uuid import uuid4

import psycopg
import pytest
import yaml

from include.intake.load import load_source
from include.landing.land import land_source, open_object
from include.live.__main__ import landing_recipient
from include.live.inbox import Inbox
from include.live.listen_settings import ListenSettings
from include.live.server import Listener
from include.settings import Settings
from include.sources.registry import Source, find_source, load_sources
from include.warehouse.connect import connect
from tests.hl7v2_messages import admit, results
from tests.mllp_client import Sender, frame

NIGHT = clock.date(2026, 11, 22)


class Feed:
    """A source that listens, and what the databases know of it."""

    def __init__(self, settings: Settings, folder: Path) -> None:
        self.name = f"live_{uuid4().hex[:10]}"
        sources = folder / "sources.yml"
        sources.write_text(
            yaml.safe_dump({"sources": [{"name": self.name, "kind": "hl7v2", "path": "none", "listen": 0}]})
        )
        self.settings = replace(settings, sources_file=sources)

    @property
    def source(self) -> Source:
        return find_source(load_sources(self.settings.sources_file), self.name)

    def rows(self, columns: str = "*") -> list[tuple]:
        with connect("postgres", "hot", self.settings) as hot:
            statement = f"select {columns} from intake.live where source = %s order by live_no"
            return hot.execute(statement, [self.name]).fetchall()


@pytest.fixture
def feed(settings, tmp_path) -> Feed:
    return Feed(settings, tmp_path)


@pytest.fixture
def listening(feed: Feed) -> Iterator[Callable[..., int]]:
    """Call it with limits for the port of a listener that runs in a thread of its own."""
    running: list[tuple[asyncio.AbstractEventLoop, asyncio.Event, threading.Thread]] = []

    def start(**limits) -> int:
        begun: dict = {}
        ready = threading.Event()

        async def run() -> None:
            stopping = asyncio.Event()
            box = Inbox(feed.settings, landing_recipient(feed.settings))
            await box.start()
            listener = Listener(box, ListenSettings(**limits))
            begun["port"] = await listener.listen(feed.source, 0)
            begun["stop"] = (asyncio.get_running_loop(), stopping)
            ready.set()
            await stopping.wait()
            await listener.stop()

        thread = threading.Thread(target=lambda: asyncio.run(run()), daemon=True)
        thread.start()
        assert ready.wait(30)
        running.append((*begun["stop"], thread))
        return begun["port"]

    yield start
    for loop, stopping, thread in running:
        loop.call_soon_threadsafe(stopping.set)
        thread.join(30)
        assert not thread.is_alive()


def test_a_message_is_durable_and_sealed_before_it_is_acknowledged(feed, listening):
    sender = Sender(listening())
    assert sender.ask(admit(control="C1")) == ("AA", "C1", "")
    ((kind, size, sealed, ungated, everything),) = feed.rows("message_type, bytes, sealed, is_ungated, live::text")
    assert (kind, size, ungated) == ("ADT^A01", len(admit(control="C1")), True)
    assert bytes(sealed).startswith(b"age-encryption.org/v1")
    assert not any(word in everything for word in ("Quackenbush", "078-05-1120", "Salem", "P1^"))


def test_pipelined_messages_are_answered_in_their_order_with_refusals_in_their_places(feed, listening):
    sender = Sender(listening())
    messages = [admit(number, f"C{number}") for number in range(200)]
    messages[50] = b"no header at all"
    messages[120] = admit(120, "")
    sender.send(b"".join(map(frame, messages)))
    answers = [sender.answer() for _ in messages]
    assert [code for code, _, _ in answers] == ["AR" if at in (50, 120) else "AA" for at in range(200)]
    assert [told for _, told, _ in answers if told] == [f"C{at}" for at in range(200) if at not in (50, 120)]
    assert answers[120][2] == "no control id in MSH-10"
    assert len(feed.rows()) == 198


def test_blocks_may_come_byte_by_byte(listening):
    sender = Sender(listening())
    for byte in frame(admit(control="C1")):
        sender.send(bytes([byte]))
    assert sender.answer() == ("AA", "C1", "")


def test_a_repetition_is_acknowledged_and_has_no_second_effect(feed, listening):
    port = listening()
    first, other = Sender(port), Sender(port)
    again = admit(control="C1").replace(b"20261120083000", b"20261120083512", 1)
    assert first.ask(admit(control="C1"))[0] == other.ask(admit(control="C1"))[0] == other.ask(again)[0] == "AA"
    first.send(frame(admit(control="C2")) * 5)
    assert [first.answer()[0] for _ in range(5)] == ["AA"] * 5
    assert len(feed.rows()) == 2


def test_another_message_under_a_used_control_id_is_not_acknowledged(feed, listening):
    sender = Sender(listening())
    assert sender.ask(admit(1, "C1"))[0] == "AA"
    assert sender.ask(admit(2, "C1")) == ("AE", "C1", "this control id was used before for another message")
    assert sender.ask(admit(2, "C1").replace(b"|ADTAPP|", b"|OTHER|"))[0] == "AA"
    assert len(feed.rows()) == 2


@pytest.mark.parametrize(
    ("message", "reason"),
    [
        (admit(control="C1").replace(b"|2.5.1", b"|3.0"), "a version other than 2.x"),
        (
            admit(control="C1").replace(b"Quackenbush", b"Gr\xfcn"),
            "bytes that the message's character set does not have",
        ),
        (admit(control="C1") + b"oops|a\r", "line 5 of the message is not a segment"),
        (admit(control="C1").replace(b"ADT^A01^ADT_A01", b""), "no message type"),
    ],
)
def test_what_cannot_be_read_is_refused_with_its_reason_and_the_next_is_taken(listening, message, reason):
    sender = Sender(listening())
    code, control, said = sender.ask(message)
    assert (code, control) == ("AR", "C1")
    assert said == reason.replace("'", "'")
    assert sender.ask(admit(2, "C2"))[0] == "AA"


def test_a_message_over_the_limit_is_refused_before_its_end(feed, listening):
    sender = Sender(listening(max_message_bytes=10_000))
    sender.send(b"\x0b" + admit(control="C1") + b"OBX|1|TX|||" + b"x" * 20_000)
    assert sender.answer() == ("AR", "C1", "the message is longer than the limit")
    sender.send(b"x" * 100_000 + b"\x1c\r")
    assert sender.ask(admit(2, "C2"))[0] == "AA"
    assert len(feed.rows()) == 1


def test_without_the_database_nothing_is_acknowledged_and_with_it_again_all_is(feed, listening):
    sender = Sender(listening())
    assert sender.ask(admit(1, "C1"))[0] == "AA"
    with connect("postgres", "hot", feed.settings, autocommit=True) as server:
        try:
            server.execute("alter role listener nologin")
            server.execute("select pg_terminate_backend(pid) from pg_stat_activity where usename = 'listener'")
            assert sender.ask(admit(2, "C2")) == ("AE", "C2", "the message could not be stored, send it again")
        finally:
            server.execute("alter role listener login")
    assert sender.ask(admit(2, "C2"))[0] == "AA"
    assert len(feed.rows()) == 2


def test_slow_and_silent_peers_are_let_go_and_others_are_served(listening):
    port = listening(message_seconds=1, idle_seconds=60)
    silent, slow, honest = Sender(port), Sender(port), Sender(port)
    assert honest.ask(admit(1, "C1"))[0] == "AA"
    slow.send(b"\x0bMSH|")
    assert silent.is_closed()
    assert slow.is_closed()
    time.sleep(0.5)
    assert honest.ask(admit(2, "C2"))[0] == "AA"


def test_a_peer_that_never_takes_its_answers_holds_no_one_up(listening):
    port = listening(message_seconds=2, most_unanswered=20)
    greedy = Sender(port)
    greedy.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
    greedy.socket.settimeout(0.5)
    with contextlib.suppress(TimeoutError, ConnectionError):
        for number in range(100_000):
            greedy.send(frame(b"x" * 200 + str(number).encode()))
    assert Sender(port).ask(admit(2, "C2"))[0] == "AA"


def test_connections_are_limited_in_all_and_from_one_address(listening):
    port = listening(max_connections=3, max_per_peer=2)
    first, second = Sender(port), Sender(port)
    assert first.ask(admit(1, "C1"))[0] == second.ask(admit(2, "C2"))[0] == "AA"
    assert Sender(port).is_closed()
    first.close()
    time.sleep(0.3)
    assert Sender(port).ask(admit(3, "C3"))[0] == "AA"


def test_noise_is_cut_off(listening):
    noisy = Sender(listening())
    with contextlib.suppress(ConnectionError):
        noisy.send(b"GET / HTTP/1.1\r\n" * 20_000)
    assert noisy.is_closed()


def test_the_log_counts_and_names_no_value(listening, caplog):
    caplog.set_level(logging.DEBUG)
    sender = Sender(listening())
    sender.ask(admit(1, "SECRET77"))
    sender.ask(admit(1, "SECRET77").replace(b"|2.5.1", b"|Quackenbush"))
    sender.close()
    time.sleep(0.5)
    told = "\n".join(record.getMessage() for record in caplog.records)
    assert "1 stored" in told and "1 refused (unsupported_version)" in told
    assert not any(word in told for word in ("Quackenbush", "SECRET77", "078-05"))


def test_tls_with_certificates_on_both_sides(listening, tmp_path):
    certificate, key = _certificate(tmp_path)
    port = listening(certificate=certificate, private_key=key, client_authorities=certificate)
    trusted = ssl.create_default_context(cafile=str(certificate))
    with pytest.raises((ssl.SSLError, ConnectionError)):
        Sender(port, trusted).ask(admit(1, "C0"))
    trusted.load_cert_chain(certificate, key)
    assert Sender(port, trusted).ask(admit(1, "C1"))[0] == "AA"
    with pytest.raises((ConnectionError, TimeoutError)):
        Sender(port, timeout=5).ask(admit(1, "C2"))


def test_peers_that_never_finish_their_handshake_are_limited_like_others(listening, tmp_path):
    certificate, key = _certificate(tmp_path)
    port = listening(
        certificate=certificate, private_key=key, max_connections=3, max_per_peer=3, message_seconds=3, idle_seconds=60
    )
    trusted = ssl.create_default_context(cafile=str(certificate))
    silent = [Sender(port) for _ in range(3)]
    silent[1].send(b"\x16\x03\x01")
    time.sleep(0.5)
    with pytest.raises((ssl.SSLError, ConnectionError)):
        Sender(port, trusted)
    assert all(each.is_closed() for each in silent)
    time.sleep(0.5)
    honest = Sender(port, trusted)
    honest.send(b"".join(frame(admit(number, f"C{number}")) for number in range(300)))
    assert [honest.answer()[0] for _ in range(300)] == ["AA"] * 300


def _certificate(folder: Path) -> tuple[Path, Path]:
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    now = clock.datetime.now(clock.UTC)
    names = [x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
    built = (
        x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
        .serial_number(x509.random_serial_number()).not_valid_before(now - clock.timedelta(hours=1))
        .not_valid_after(now + clock.timedelta(days=1)).add_extension(x509.SubjectAlternativeName(names), False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), True).sign(key, hashes.SHA256())
    )  # fmt: skip
    (folder / "cert.pem").write_bytes(built.public_bytes(serialization.Encoding.PEM))
    plain = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    (folder / "key.pem").write_bytes(key.private_bytes(*plain))
    return folder / "cert.pem", folder / "key.pem"


def test_the_listener_can_add_and_nothing_else(feed):
    with connect("listener", "hot", feed.settings, autocommit=True) as hot:
        for statement in (
            "select sealed from intake.live",
            "delete from intake.live",
            "update intake.live set source = 'x'",
            "select 1 from raw.resource",
            "select 1 from lifecycle.record",
            "create table intake.mine (x int)",
        ):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                hot.execute(statement)


def test_the_next_night_lands_what_was_acknowledged_once(feed, listening):
    sender = Sender(listening())
    for number in (1, 2, 3):
        assert sender.ask(admit(number, f"C{number}"))[0] == "AA"
    assert sender.ask(results(1, "R1"))[0] == "AA"
    landed = land_source(feed.name, NIGHT, feed.settings)
    assert (landed.objects_new, landed.missing) == (1, False)
    assert {(row[0] is None, row[1]) for row in feed.rows("sealed, landed_night")} == {(True, NIGHT)}
    sha256 = feed.rows("landed_sha256")[0][0]
    with open_object(sha256, feed.name, feed.settings) as stream:
        assert stream.read() == b"".join(map(frame, [admit(1, "C1"), admit(2, "C2"), admit(3, "C3"), results(1, "R1")]))
    (batch,) = load_source(feed.name, NIGHT, feed.settings)
    with connect("postgres", "hot", feed.settings) as hot:
        counts = hot.execute(
            "select received, loaded, duplicate, quarantined from lifecycle.batch where batch_id = %s", [batch]
        ).fetchone()
        state = hot.execute(
            "select missing, files_new, notes from lifecycle.source_state where source = %s", [feed.name]
        ).fetchone()
    assert counts == (12, 12, 0, 0)
    assert state == (False, 1, [])

    assert sender.ask(admit(1, "C1"))[0] == "AA"  # a repetition after the night
    assert land_source(feed.name, NIGHT, feed.settings).objects_new == 0
    assert sender.ask(admit(4, "C4"))[0] == "AA"
    tomorrow = NIGHT + clock.timedelta(days=1)
    assert land_source(feed.name, tomorrow, feed.settings).objects_new == 1
    assert len(load_source(feed.name, tomorrow, feed.settings)) == 2  # the first still waits for its gate


def test_a_night_killed_while_it_landed_goes_on_with_the_same_object(feed, listening, monkeypatch):
    from include.landing import catalogue

    sender = Sender(listening())
    assert sender.ask(admit(1, "C1"))[0] == "AA"

    def killed(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as broken, pytest.raises(KeyboardInterrupt):
        broken.setattr(catalogue, "add_objects", killed)
        land_source(feed.name, NIGHT, feed.settings)
    assert sender.ask(admit(2, "C2"))[0] == "AA"
    assert land_source(feed.name, NIGHT, feed.settings).objects_new == 2
    assert len({row[0] for row in feed.rows("landed_sha256")}) == 2


def test_landed_messages_are_forgotten_after_thirty_nights(feed, listening):
    sender = Sender(listening())
    assert sender.ask(admit(1, "C1"))[0] == "AA"
    land_source(feed.name, NIGHT, feed.settings)
    land_source(feed.name, NIGHT + clock.timedelta(days=30), feed.settings)
    assert len(feed.rows()) == 1
    land_source(feed.name, NIGHT + clock.timedelta(days=31), feed.settings)
    assert feed.rows() == []
