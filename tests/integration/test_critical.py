"""Critical results over real sockets, on the real database, told to a real HTTP server: within seconds, once, and without a value."""

from __future__ import annotations

import io
import json
import logging
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from uuid import UUID

import psycopg
import pytest
from prometheus_client.parser import text_string_to_metric_families

from include.alerts.channels import Mail, Webhook
from include.critical import __main__ as commands
from include.critical import desk, watch
from include.critical.metrics import METRICS, critical_metrics_file, write_critical_metrics
from include.critical.policy import CriticalPolicy, Step, load_critical_policy
from include.critical.watch import Watch, serve, stop_watching
from include.landing.land import land_source
from include.live.__main__ import listening_sources
from include.privacy.keyring import load_keyring
from include.warehouse.connect import connect
from tests.hl7v2_messages import admit, message
from tests.integration.test_live import NIGHT, Feed, listening  # noqa: F401
from tests.integration.test_live_erasure import put
from tests.mllp_client import Sender

OURS = "subject in (select alert_id::text from critical.alert)"
SECRETS = ("Quackenbush", "Zeb1", "078-05-1120", "Salem", "19800229", "7.31", "WARD9")


def potassium(value: str = "7.31", control: str = "K1", status: str = "F", number: int = 1, **said: str) -> bytes:
    """A potassium of a person's order."""
    unit, flag, kind = said.get("unit", "mmol/L^^UCUM"), said.get("flag", ""), said.get("kind", "NM")
    return message(
        "ORU^R01^ORU_R01",
        f"PV1|1|I|WARD9^12^1||||||||||||||||V{number}^^^GHH^VN",
        f"OBR|1|O{number}^GHH|F{number}^LAB|24323-8^CMP^LN|||20261119073000|||||||||||||||20261119093000|||{status}",
        f"OBX|1|{kind}|2823-3^Potassium^LN||{value}|{unit}|3.5-5.1|{flag}|||{status}|||20261119073000",
        control=control,
        number=number,
    )


class Receiver:
    """An HTTP server that keeps what it was sent. ``answers`` gives the status of the next requests, then 204."""

    def __init__(self) -> None:
        self.told: list[dict] = []
        self.keys: list[str] = []
        self.refused = 0
        self.is_down = False
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                if receiver.is_down:
                    receiver.refused += 1
                    self.send_response(503)
                else:
                    receiver.told.append(json.loads(body))
                    receiver.keys.append(self.headers["Idempotency-Key"])
                    self.send_response(204)
                self.end_headers()

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}/hook"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()

    def of_kind(self, kind: str) -> list[dict]:
        return [each for each in self.told if each["kind"] == f"critical_result.{kind}"]


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    server = Receiver()
    yield server
    server.close()


@pytest.fixture
def other_receiver() -> Iterator[Receiver]:
    server = Receiver()
    yield server
    server.close()


@pytest.fixture
def feed(settings, tmp_path, monkeypatch) -> Feed:
    """A source of its own, beside which nothing waits and nothing was ever told."""
    monkeypatch.setattr(watch, "LOOK_SECONDS", 0.05)
    with connect("postgres", "hot", settings) as hot:
        hot.execute("truncate critical.alert, critical.notice, critical.delivery, critical.judged, critical.watching")
        hot.execute("delete from intake.live")
    return Feed(settings, tmp_path)


def hasty(policy: CriticalPolicy | None = None, **changes: object) -> CriticalPolicy:
    """The shipped policy with short pauses."""
    policy = policy or load_critical_policy()
    said = {"first_seconds": 1, "most_seconds": 1, "tries_before_next_step": 2, **changes}
    return replace(policy, telling=replace(policy.telling, **said))


def watch_of(feed: Feed, *channels: Webhook | Mail, policy: CriticalPolicy | None = None) -> Watch:
    sources = {source.name: source for source in listening_sources(feed.settings)}
    return Watch(feed.settings, sources, policy or hasty(), load_keyring(feed.settings.keyring_dir), channels)


@pytest.fixture
def watching(feed: Feed, receiver: Receiver) -> Iterator[Callable[..., None]]:
    """Call it to begin a watcher in a thread; ``policy`` and ``channels`` are optional."""
    running: list[tuple[threading.Event, threading.Thread]] = []

    def start(*channels: Webhook | Mail, policy: CriticalPolicy | None = None) -> None:
        stopping = threading.Event()
        of = watch_of(feed, *(channels or (Webhook(receiver.url),)), policy=policy)
        thread = threading.Thread(target=serve, args=(of, stopping), daemon=True)
        thread.start()
        running.append((stopping, thread))

    yield start
    for stopping, thread in running:
        stopping.set()
        thread.join(60)
        assert not thread.is_alive()


def until(found: Callable[[], object], seconds: float = 40) -> object:
    """What ``found`` gives once it gives something."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if result := found():
            return result
        time.sleep(0.05)
    raise AssertionError(f"nothing within {seconds} s")


def rows(feed: Feed, query: str) -> list[tuple]:
    with connect("postgres", "hot", feed.settings) as hot:
        return hot.execute(query).fetchall()


def alerts(feed: Feed) -> list[tuple]:
    return rows(feed, "select state, rule, side, withdrawn_because from critical.alert order by alerted_at")


def all_judged(feed: Feed) -> bool:
    return rows(feed, "select count(*) from intake.live where judged_at is null and sealed is not null") == [(0,)]


def counts(feed: Feed) -> dict[str, int]:
    return dict(rows(feed, "select what, sum(number)::int from critical.judged group by 1"))


def test_a_critical_result_is_told_within_seconds_of_its_acknowledgement(feed, listening, watching, receiver):  # noqa: F811
    watching()
    until(lambda: rows(feed, "select 1 from critical.watching"))
    sender = Sender(listening())
    assert sender.ask(potassium())[0] == "AA"
    acknowledged_at = time.monotonic()
    until(lambda: receiver.told)
    assert time.monotonic() - acknowledged_at < 15  # half a second on an idle machine
    (told,) = receiver.told
    until(lambda: alerts(feed) == [("sent", "potassium", "high", None)])
    ((alert_id, source, sealed, everything),) = rows(
        feed, "select alert_id, source, sealed, alert::text from critical.alert"
    )
    assert told["alert"] == str(alert_id) and told["source"] == source == feed.name
    assert told["kind"] == "critical_result.alert" and receiver.keys == [f"{alert_id}.alert.0"]
    assert f"make alert ID={str(alert_id)[:8]}" in told["text"]
    assert not any(secret in json.dumps(told) for secret in (*SECRETS, "otassium", "high"))
    assert not any(secret in everything or secret.encode() in bytes(sealed) for secret in SECRETS)
    assert rows(feed, "select observed_at::text from critical.alert") == [("2026-11-19 12:30:00+00",)]


def test_what_is_no_alert_makes_none(feed, listening, watching, receiver):  # noqa: F811
    watching()
    sender = Sender(listening())
    for sent in (potassium("4.2", "N1"), admit(1, "N2"), potassium("6.2", "N3", number=2)):
        assert sender.ask(sent)[0] == "AA"
    until(lambda: all_judged(feed))
    assert alerts(feed) == [] and receiver.told == []
    assert counts(feed) == {"messages": 3, "results": 2, "watched": 2}


def test_a_message_sent_again_makes_no_second_alert(feed, listening, watching, receiver):  # noqa: F811
    watching()
    sender = Sender(listening())
    for control in ("K1", "K1", "K2"):  # the second is known by its control id, the third by what it says
        assert sender.ask(potassium(control=control))[0] == "AA"
    assert sender.ask(potassium(control="K3", status="P"))[0] == "AA"
    until(lambda: all_judged(feed) and receiver.told)
    time.sleep(0.8)
    assert len(alerts(feed)) == len(receiver.told) == 1
    assert counts(feed)["repeated"] == 1 and counts(feed)["late"] == 1


def test_a_corrected_result_withdraws_its_alert_and_says_so(feed, watching, receiver):
    put(feed, potassium())
    watching()
    until(lambda: receiver.told)
    put(feed, potassium("4.2", "K2", "C"))
    until(lambda: receiver.of_kind("correction"))
    assert alerts(feed) == [("withdrawn", "potassium", "high", "corrected")]
    assert len(receiver.told) == 2 and "no longer holds" in receiver.told[1]["text"]
    put(feed, potassium("7.31", "K3"))  # the old message once more: it overrules no correction
    put(feed, potassium("7.31", "K4", "C"))  # corrected back
    until(lambda: len(receiver.told) == 3)
    assert [each[0] for each in alerts(feed)] == ["withdrawn", "sent"]
    assert counts(feed)["late"] == 1
    put(feed, potassium("7.4", "K5", "C"))
    until(lambda: len(receiver.told) == 4)
    assert [each[3] for each in alerts(feed)] == ["corrected", "replaced", None]
    assert "replaces an earlier alert" in receiver.told[3]["text"] and len(receiver.of_kind("correction")) == 1
    put(feed, potassium("7.31", "K6", "C"))  # and back to what it first said
    until(lambda: len(receiver.told) == 5)
    assert [each[3] for each in alerts(feed)] == ["corrected", "replaced", "replaced", None]
    put(feed, potassium("7.31", "K7", "X"))
    until(lambda: len(receiver.of_kind("correction")) == 2)
    assert alerts(feed)[-1] == ("withdrawn", "potassium", "high", "cancelled")


def test_a_final_result_replaces_a_preliminary_one_and_contradicts_no_final_one(feed, watching, receiver):
    put(feed, potassium(status="P"), potassium("4.2", "K2", "F"))
    put(feed, potassium(control="L1", number=2), potassium("4.2", "L2", "F", number=2))
    watching()
    until(lambda: all_judged(feed) and receiver.told)
    assert {(each[0] == "withdrawn", each[3]) for each in alerts(feed)} == {(True, "corrected"), (False, None)}
    assert counts(feed)["contradicted"] == 1


def test_a_correction_withdraws_every_alert_that_contradicting_final_results_made(feed, watching, receiver):
    put(feed, potassium(), potassium("7.5", "K2"))
    watching()
    until(lambda: len(receiver.told) == 2)
    assert [each[0] for each in alerts(feed)] == ["sent", "sent"]
    put(feed, potassium("4.2", "K3", "C"))
    until(lambda: len(receiver.of_kind("correction")) == 2)
    assert {each[3] for each in alerts(feed)} == {"corrected"}


def test_what_was_withdrawn_before_it_left_is_never_told(feed, watching, receiver):
    put(feed, potassium(), potassium("4.2", "K2", "C"))
    watching()
    until(lambda: all_judged(feed))
    time.sleep(0.8)
    assert receiver.told == [] and alerts(feed) == [("withdrawn", "potassium", "high", "corrected")]


def test_what_cannot_be_judged_is_told_and_never_taken_for_normal(feed, watching, receiver, capsys):
    put(
        feed,
        potassium("4.2", unit="furlong"),
        potassium("hemolyzed", "K2", number=2, kind="ST"),
        b"MSH|^~\\&|A|B|C|D|20261120||ORU^R01|K3|P|2.5\rOBX|1|\r",
    )
    watching()
    (told,) = until(lambda: receiver.of_kind("notice"))
    assert "could not be held against" in told["text"] and "furlong" not in json.dumps(told)
    assert counts(feed)["unjudged"] == 2 and counts(feed)["unreadable"] == 1
    put(feed, potassium("5", "K4", unit="furlong", number=3))
    until(lambda: all_judged(feed))
    assert commands.main(["list"]) == 0
    shown = capsys.readouterr().out
    assert f"2 result(s) of potassium of {feed.name} since yesterday: a unit that the policy does not list" in shown
    assert f"1 message(s) of {feed.name} since yesterday: missing_patient" in shown
    assert len(receiver.of_kind("notice")) == 1, "once a day"


def test_a_message_that_breaks_the_judge_stops_nobody_else_s_alert(feed, watching, receiver, monkeypatch):
    from include.critical import findings

    real = findings.map_message

    def breaking(read, *others):
        if "BREAKS" in str(read.segments):
            raise ZeroDivisionError("a value of Quackenbush")
        return real(read, *others)

    monkeypatch.setattr(findings, "map_message", breaking)
    put(feed, potassium(control="BREAKS", number=2), potassium())
    watching()
    until(lambda: receiver.of_kind("alert"))
    assert counts(feed)["unreadable"] == 1 and len(alerts(feed)) == 1


def test_a_message_that_the_database_refuses_stops_nobody_else_s_alert(feed, watching, receiver, monkeypatch):
    from include.critical import findings

    real = findings.moment_of
    monkeypatch.setattr(
        findings, "moment_of", lambda told: "no moment" if told and "2026-11-18" in told else real(told)
    )
    put(feed, potassium(control="B1", number=2).replace(b"20261119073000", b"20261118073000"), potassium())
    watching()
    until(lambda: receiver.of_kind("alert"))
    assert len(alerts(feed)) == 1
    assert rows(feed, "select reason from critical.judged where what = 'unreadable'") == [
        ("it could not be written down",)
    ]


def test_a_message_that_breaks_the_ledger_stops_nobody_else_s_alert_and_alone_it_waits(
    feed, watching, receiver, monkeypatch, caplog
):
    from include.critical import ledger

    real = ledger.seal

    def breaking(key: bytes, record: UUID, plain: bytes) -> bytes:
        if b"V2/" in plain or b'"P2"' in plain:
            raise ZeroDivisionError("Quackenbush")
        return real(key, record, plain)

    monkeypatch.setattr(ledger, "seal", breaking)
    put(feed, potassium(control="B1", number=2))
    watching()
    until(lambda: "judging stumbled (ZeroDivisionError" in caplog.text)
    assert not all_judged(feed), "given up though it may not have been its own fault"
    put(feed, potassium())
    until(lambda: receiver.of_kind("alert"))
    until(lambda: all_judged(feed))
    assert rows(feed, "select reason from critical.judged where what = 'unreadable'") == [
        ("it could not be written down",)
    ]
    assert len(alerts(feed)) == 1 and "Quackenbush" not in caplog.text


def test_with_another_installation_s_keys_nothing_is_marked_as_judged(feed, receiver, tmp_path):
    from include.critical.watch import WatchError
    from include.privacy.keyring import create_keyring

    put(feed, potassium())
    other = replace(watch_of(feed, Webhook(receiver.url)), keyring=create_keyring(tmp_path / "other"))
    stopping = threading.Event()
    threading.Timer(15, stopping.set).start()
    with pytest.raises(WatchError, match="none of 1 waiting messages opens"):
        serve(other, stopping)
    assert not all_judged(feed)


def test_what_came_while_nobody_watched_is_judged_later_even_after_the_night_took_it(feed, watching, receiver):
    put(feed, admit(1, "A1"))
    watching()
    until(lambda: all_judged(feed))
    # the first watcher has said that somebody watches; now it is away
    with connect("postgres", "hot", feed.settings, autocommit=True) as server:
        server.execute("alter role watcher nologin")
        server.execute("select pg_terminate_backend(pid) from pg_stat_activity where usename = 'watcher'")
        try:
            put(feed, potassium())
            assert land_source(feed.name, NIGHT, feed.settings).objects_new == 1
            assert feed.rows("sealed is null, landed_sha256 is null") == [(True, False), (False, False)]
        finally:
            server.execute("alter role watcher login")
    until(lambda: receiver.told)
    until(lambda: feed.rows("sealed is null") == [(True,), (True,)])
    assert len(alerts(feed)) == 1


def test_where_nobody_ever_watched_the_night_empties_what_it_took(feed):
    put(feed, potassium())
    land_source(feed.name, NIGHT, feed.settings)
    assert feed.rows("sealed is null") == [(True,)]


def test_saying_that_nobody_watches_any_more_empties_what_was_kept(feed, watching):
    put(feed, admit(1, "A1"))
    watching()
    until(lambda: all_judged(feed))
    with connect("watcher", "hot", feed.settings) as hot:
        hot.execute(
            "select pg_terminate_backend(pid) from pg_stat_activity where usename = current_user and pid <> pg_backend_pid()"
        )
    assert stop_watching(feed.settings) == 0


def test_of_two_watchers_one_works(feed, watching, receiver):
    watching()
    watching()
    put(feed, potassium(), potassium("7.9", "K2", number=2))
    until(lambda: len(receiver.told) == 2)
    time.sleep(0.8)
    assert len(receiver.told) == 2


def test_a_channel_that_is_down_is_tried_again_and_then_the_next_one_is_told(feed, watching, receiver, other_receiver):
    receiver.is_down = True
    watching(Webhook(receiver.url), Webhook(other_receiver.url, name="mail"))
    put(feed, potassium())
    until(lambda: other_receiver.told)
    assert receiver.refused >= 2 and other_receiver.told[0]["kind"] == "critical_result.escalation"
    receiver.is_down = False
    until(lambda: receiver.told)
    assert receiver.told[0]["idempotency_key"].endswith(".alert.0") and len(other_receiver.told) == 1
    assert rows(feed, "select escalations, state from critical.alert") == [(1, "sent")]
    assert rows(feed, "select attempts >= 3 from critical.delivery where step = 0") == [(True,)]


def test_an_alert_that_nobody_acknowledges_goes_up_the_steps_and_ends_at_the_last(
    feed, watching, receiver, other_receiver
):
    policy = hasty(steps=(Step("webhook", 0), Step("mail", 0)), rounds=2)
    watching(Webhook(receiver.url), Webhook(other_receiver.url, name="mail"), policy=policy)
    put(feed, potassium())
    until(lambda: len(other_receiver.told) == 2)
    time.sleep(0.8)
    assert [each["step"] for each in receiver.told] == [0, 2] and [each["step"] for each in other_receiver.told] == [
        1,
        3,
    ]
    assert rows(feed, "select escalations, state from critical.alert") == [(3, "sent")]
    assert rows(feed, f"select count(*) from audit.entry where action = 'alert.escalated' and {OURS}") == [(3,)]


def test_an_acknowledged_alert_goes_no_further(feed, watching, receiver, other_receiver):
    receiver.is_down = True
    watching(Webhook(receiver.url), policy=hasty(steps=(Step("webhook", 0),), rounds=5))
    put(feed, potassium())
    until(lambda: receiver.refused)
    opened = desk.open_alert(
        str(rows(feed, "select alert_id from critical.alert")[0][0])[:8], by="Dr Who", settings=feed.settings
    )
    desk.acknowledge(opened, "7.31", by="Dr Who", settings=feed.settings)
    # What an escalation that began before the acknowledgement would leave.
    with connect("postgres", "hot", feed.settings) as hot:
        hot.execute(
            "insert into critical.delivery (alert_id, kind, step, channel) select alert_id, 'escalation', 9, 'webhook' from critical.alert"
        )
    receiver.is_down = False
    time.sleep(1.5)
    assert receiver.told == []


def test_who_opens_an_alert_is_in_the_trail_before_the_result_is_shown(feed, watching, receiver, capsys, monkeypatch):
    put(feed, potassium())
    watching()
    until(lambda: receiver.told)
    said = receiver.told[0]["alert"][:8]
    assert commands.main(["show", said, "--by", "Nurse Ann"]) == 0
    shown = capsys.readouterr().out
    assert all(
        word in shown
        for word in ("Quackenbush", "7.31 mmol/L", "P1", "Potassium (2823-3)", "high potassium", "1980-02-29")
    )
    assert "ACK=1" in shown
    trail = rows(
        feed, f"select action, outcome, actor, purpose, detail::text from audit.entry where {OURS} order by entry_no"
    )
    assert [each[:2] for each in trail] == [
        ("alert.made", "success"),
        ("alert.opened", "attempt"),
        ("alert.opened", "success"),
    ]
    assert trail[1][2:4] == ("clinician Nurse Ann", "critical result") and "7.31" not in str(trail)

    monkeypatch.setattr("sys.stdin", io.StringIO("7.13\n"))
    assert commands.main(["show", said, "--by", "Nurse Ann", "--acknowledge"]) == 2
    assert "what was read back is not the result" in capsys.readouterr().err
    assert alerts(feed)[0][0] == "sent"
    assert commands.main(["close", said, "treated", "--by", "Nurse Ann"]) == 2
    monkeypatch.setattr("sys.stdin", io.StringIO("7.310\n"))
    assert commands.main(["show", said, "--by", "Nurse Ann", "--acknowledge"]) == 0
    assert rows(feed, "select state, acknowledged_by from critical.alert") == [("acknowledged", "Nurse Ann")]
    capsys.readouterr()
    assert commands.main(["show", said, "--by", "Dr Who", "--acknowledge"]) == 2
    asked, complained = capsys.readouterr()
    assert "the alert is acknowledged by Nurse Ann" in complained and "read the value back" not in asked
    assert commands.main(["list"]) == 0
    listed = capsys.readouterr().out
    assert said in listed and "received to sent: median" in listed and "sent to acknowledged: median" in listed
    assert not any(secret in listed for secret in (*SECRETS, "otassium"))
    assert commands.main(["close", said, "treated", "--by", "Nurse Ann"]) == 0
    assert rows(feed, "select state, closed_by, outcome from critical.alert") == [("closed", "Nurse Ann", "treated")]
    capsys.readouterr()
    assert commands.main(["list"]) == 0 and "0 open alert(s)" in capsys.readouterr().out


@pytest.mark.parametrize("said", ["", "zz", "12345678", "%", "0000000"])
def test_an_alert_that_is_not_there_cannot_be_opened(feed, said):
    with pytest.raises(desk.AlertDeskError, match="no alert of this id"):
        desk.open_alert(said, by="Dr Who", settings=feed.settings)


def test_a_correction_reaches_those_who_had_acknowledged(feed, watching, receiver):
    put(feed, potassium())
    watching()
    until(lambda: receiver.told)
    opened = desk.open_alert(receiver.told[0]["alert"], by="Dr Who", settings=feed.settings)
    desk.acknowledge(opened, "7.31 mmol/L", by="Dr Who", settings=feed.settings)
    put(feed, potassium("4.2", "K2", "C"))
    until(lambda: receiver.of_kind("correction"))
    assert alerts(feed) == [("withdrawn", "potassium", "high", "corrected")]


def test_a_ward_is_told_only_where_the_policy_gives_it_a_key(feed, watching, receiver):
    policy = hasty(routes={f"{feed.name}/WARD9": "icu-desk"}, name_the_test=True)
    put(feed, potassium(), potassium("2.1", "K2", number=2).replace(b"WARD9", b"WARD8"))
    watching(policy=policy)
    until(lambda: len(receiver.told) == 2)
    assert {each["route"] for each in receiver.told} == {"icu-desk", "unrouted"}
    assert {each["test"] for each in receiver.told} == {"high potassium", "low potassium"}
    assert "Critical result: high potassium, for icu-desk" in " ".join(each["text"] for each in receiver.told)


def test_the_log_and_errors_name_no_value(feed, watching, receiver, caplog):
    caplog.set_level(logging.DEBUG)
    receiver.is_down = True
    put(feed, potassium(), potassium("4.2", "K2", unit="furlong", number=2))
    watching()
    until(lambda: receiver.refused)
    told = "\n".join(record.getMessage() for record in caplog.records if record.name.startswith("plumbline"))
    assert "1 alerts made" in told and "try 1 failed: the webhook did not take the message (status 503)" in told
    assert not any(secret in told for secret in (*SECRETS, "furlong", "otassium"))


def test_metrics_count_and_are_documented(feed, watching, receiver):
    put(feed, potassium(), potassium("4.2", "K2", unit="furlong", number=2))
    watching()
    until(lambda: receiver.of_kind("alert"))
    with connect("watcher", "hot", feed.settings, autocommit=True) as hot:
        until(lambda: rows(feed, "select 1 from critical.alert where sent_at is not null"))
        write_critical_metrics(hot, critical_metrics_file(feed.settings.home))
    text = critical_metrics_file(feed.settings.home).read_text()
    found = {
        (each.name, *sorted(each.labels.items())): each.value
        for family in text_string_to_metric_families(text)
        for each in family.samples
    }
    assert found["plumbline_critical_alerts_open", ("state", "sent")] == 1
    assert found["plumbline_critical_today", ("source", feed.name), ("what", "unjudged")] == 1
    assert found["plumbline_critical_seconds", ("quantile", "0.5"), ("step", "received_to_sent")] > 0
    for name, *labels in found:
        assert tuple(sorted(METRICS[name][1])) == tuple(word for word, _ in labels)
    assert not any(secret in text for secret in (*SECRETS, "furlong", "otassium"))


def test_a_database_that_goes_away_is_waited_for(feed, watching, receiver):
    watching()
    until(lambda: rows(feed, "select 1 from critical.watching"))
    with connect("postgres", "hot", feed.settings, autocommit=True) as server:
        server.execute("select pg_terminate_backend(pid) from pg_stat_activity where usename in ('watcher', 'sealer')")
    put(feed, potassium())
    until(lambda: receiver.told)
    assert len(alerts(feed)) == 1


FORBIDDEN = {
    "watcher": [
        "delete from intake.live", "update intake.live set sealed = null", "update intake.live set judged_at = now()",
        "insert into intake.live (source, sender_key, content_key, message_type, bytes) values ('x', '', '', '', 1)",
        "delete from critical.alert", "delete from critical.delivery", "select 1 from raw.resource", "select 1 from audit.entry",
        "select critical.acknowledge(gen_random_uuid(), 'me')", "select critical.close(gen_random_uuid(), 'me', 'treated')",
        "select critical.erase_rows(gen_random_uuid())", "select critical.expire('lab_results', 0, '{}', current_date)",
        "create table critical.mine (n int)", "create temporary table mine (n int)",
    ],
    "clinician": [
        "update critical.alert set state = 'closed'", "insert into critical.notice (day, source) values (current_date, 'x')",
        "delete from critical.alert", "select sealed from intake.live", "select 1 from raw.resource", "select 1 from audit.entry",
        "select critical.mark_judged('{1}')", "select critical.stop_watching()", "select critical.erase_rows(gen_random_uuid())",
        "create table critical.mine (n int)",
    ],
    "listener": ["select 1 from critical.alert", "select critical.mark_judged('{1}')"],
    "loader": ["select 1 from critical.alert", "delete from critical.watching"],
    "transformer": ["select 1 from critical.alert"],
    "lifecycle": ["select sealed from critical.alert", "delete from critical.alert"],
}  # fmt: skip


@pytest.mark.parametrize(("role", "statement"), [(role, each) for role, tried in FORBIDDEN.items() for each in tried])
def test_a_role_can_do_its_step_of_an_alert_and_nothing_else(stack, role, statement):
    with connect(role, "hot", stack) as hot, pytest.raises(psycopg.errors.InsufficientPrivilege):
        hot.execute(statement)


def test_a_watcher_needs_a_channel_and_a_source_that_listens(feed, monkeypatch, capsys):
    assert commands.main(["watch"]) == 2
    monkeypatch.setenv("PLUMBLINE_SOURCES", str(feed.settings.sources_file))
    assert commands.main(["watch"]) == 2
    assert "alerts would reach nobody" in capsys.readouterr().err


def test_the_health_check_knows_whether_somebody_watches(feed, watching):
    assert commands.main(["check"]) == 1
    watching()
    until(lambda: commands.main(["check"]) == 0)
