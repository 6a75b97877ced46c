"""What is kept of alerts: nothing in clear outside sealed fields, nothing of an erased person, nothing beyond retention."""

from __future__ import annotations

import json
from datetime import timedelta
from uuid import UUID

import psycopg
import pytest

from include.alerts.channels import Webhook
from include.critical import desk
from include.critical.watch import Judging
from include.landing.land import land_source
from include.lifecycle.erase import erase_person
from include.lifecycle.erase_rows import remaining_rows
from include.lifecycle.move import expire_alerts
from include.lifecycle.work import open_work
from include.privacy.keyring import load_keyring
from include.privacy.keys import DataKeyError
from include.privacy.tokens import Tokeniser
from include.sample.exposure import IdentifierIndex
from include.sample.search import search_night
from include.sources.hl7v2.files import patient_id
from include.warehouse.connect import connect
from tests.hl7v2_messages import admit
from tests.integration.test_critical import OURS, feed, potassium, rows, watch_of  # noqa: F401
from tests.integration.test_erasure import TWO
from tests.integration.test_live import NIGHT, Feed
from tests.integration.test_live_erasure import put, take_in


def judge_all(feed: Feed) -> None:  # noqa: F811
    """What a watcher does with what waits, without telling anybody."""
    watch = watch_of(feed, Webhook("http://127.0.0.1:1/none"))
    with (
        connect("watcher", "hot", feed.settings, autocommit=True) as hot,
        connect("sealer", "keys", feed.settings, autocommit=True) as books,
    ):
        judging = Judging(watch, hot, books)
        judging.say_alive()
        while judging.judge_some():
            pass


def token_of(feed: Feed, known_as: str) -> UUID:  # noqa: F811
    tokeniser = Tokeniser(load_keyring(feed.settings.keyring_dir).token_key)
    return UUID(tokeniser.id_token(feed.name, "Patient", patient_id(known_as)))


def test_no_identifier_stands_in_clear_in_any_table_after_an_alert(fresh_hot, tmp_path):
    feed = Feed(fresh_hot, tmp_path)  # noqa: F811
    put(feed, potassium(), potassium("4.2", "K2", unit="Quackenbush", number=2))
    judge_all(feed)
    opened = desk.open_alert(
        str(rows(feed, "select alert_id from critical.alert")[0][0]), by="Nurse Ann", settings=fresh_hot
    )
    desk.acknowledge(opened, "7.31", by="Nurse Ann", settings=fresh_hot)
    planted = [
        {"kind": "full_name", "value": "Zeb1 Quackenbush", "is_word": False}, {"kind": "ssn", "value": "078-05-1120", "is_word": False},
        {"kind": "phone", "value": "(978)555-0101", "is_word": False}, {"kind": "street", "value": "12 Oak St", "is_word": False},
    ]  # fmt: skip
    assert search_night(IdentifierIndex.of(planted), fresh_hot) == {}
    for (table,) in rows(
        feed, "select oid::regclass::text from pg_class where relnamespace = 'critical'::regnamespace and relkind = 'r'"
    ):
        text = str(rows(feed, f"select t::text from {table} t"))
        assert not any(secret in text for secret in ("Quackenbush", "7.31", "WARD9", "P1")), table


def test_an_erased_person_s_alerts_go_and_later_results_make_none(fresh_hot, tmp_path):
    feed = Feed(fresh_hot, tmp_path)  # noqa: F811
    put(feed, admit(1, "A1"), admit(2, "A2"))
    take_in(feed, NIGHT)
    put(feed, potassium(), potassium("7.5", "K2", number=2))
    judge_all(feed)
    # Landed and not judged: kept for the watcher, and about both.
    put(feed, potassium("7.6", "K3", "C"), potassium("7.7", "K4", "C", number=2))
    take_in(feed, NIGHT + timedelta(days=1))
    assert feed.rows("live_no, sealed is null, landed_sha256 is null")[-2:] == [
        (each[0], False, False) for each in feed.rows("live_no")[-2:]
    ]
    token, other = token_of(feed, "P1^^^GHH^MR"), token_of(feed, "P2^^^GHH^MR")
    assert set(rows(feed, "select person_token from critical.alert")) == {(token,), (other,)}
    with open_work(NIGHT + timedelta(days=1), feed.settings) as work:
        erasure = erase_person(work, token, **TWO)
        ((counts,),) = work.hot.execute(
            "select counts from lifecycle.erasure where erasure_id = %s", [erasure]
        ).fetchall()
    assert counts["alerts"] == 1 and counts["live_messages"] == 1
    assert remaining_rows(fresh_hot, [token], []) == {}
    assert [row[0] for row in feed.rows("sealed is null")][-2:] == [True, False]
    put(feed, potassium("7.8", "K5", "C"))
    judge_all(feed)
    assert rows(feed, "select distinct person_token from critical.alert") == [(other,)]
    assert rows(feed, "select state, withdrawn_because from critical.alert order by alerted_at") == [
        ("withdrawn", "replaced"),
        ("new", None),
    ]
    assert rows(feed, "select sum(number)::int from critical.judged where what = 'erased_person'") == [(1,)]


def test_an_alert_opens_with_its_person_s_key_and_with_no_other(feed):  # noqa: F811
    put(feed, potassium())
    judge_all(feed)
    with connect("sealer", "keys", feed.settings) as books:
        books.execute(
            "update keys.data_key set wrapped = null, destroyed_at = now() where key_id = %s",
            [f"person:{token_of(feed, 'P1^^^GHH^MR')}"],
        )
    said = str(rows(feed, "select alert_id from critical.alert")[0][0])
    with pytest.raises(DataKeyError, match="destroyed"):
        desk.open_alert(said, by="Dr Who", settings=feed.settings)
    assert rows(
        feed, f"select outcome from audit.entry where action = 'alert.opened' and {OURS} order by entry_no"
    ) == [
        ("attempt",),
        ("failure",),
    ]


def test_a_result_of_nobody_is_told_all_the_same(feed):  # noqa: F811
    head, person, *others = potassium().rstrip(b"\r").split(b"\r")
    put(feed, b"\r".join([head, *others, person]) + b"\r")  # the result stands before anybody does
    judge_all(feed)
    assert rows(feed, "select person_token, key_id from critical.alert") == [(None, "batch:critical-results")]
    assert rows(feed, "select rule, state from critical.alert") == [("potassium", "new")]
    opened = desk.open_alert(
        str(rows(feed, "select alert_id from critical.alert")[0][0]), by="Dr Who", settings=feed.settings
    )
    assert desk.values_of(opened.result) == ["7.31 mmol/L"]


def test_alerts_end_with_their_class_s_retention_unless_a_hold_means_them(feed):  # noqa: F811
    put(feed, potassium(), potassium("7.5", "K2", number=2))
    judge_all(feed)
    held = token_of(feed, "P2^^^GHH^MR")
    with connect("postgres", "hot", feed.settings) as hot:
        hot.execute(
            "update critical.alert set received_at = received_at - interval '8 years', observed_at = '2018-11-19'"
        )
        hot.execute("update critical.alert set observed_at = '9999-01-01' where person_token = %s", [held])
        hot.execute(
            """insert into lifecycle.hold (person_token, reason, requested_by, approved_by, set_night)
               values (%s, 'a lawsuit', 'one', 'two', '2026-11-22')""",
            [held],
        )
    with open_work(NIGHT, feed.settings) as work:
        assert expire_alerts(work) == 1
        assert expire_alerts(work) == 0
    assert rows(feed, "select person_token from critical.alert") == [(held,)]
    with connect("postgres", "hot", feed.settings) as hot:
        hot.execute(
            """update lifecycle.hold set lifted_at = now(), lifted_night = set_night, lift_reason = 'over',
                      lift_requested_by = 'one', lift_approved_by = 'two'"""
        )
    with open_work(NIGHT, feed.settings) as work:
        assert expire_alerts(work) == 1
    ((detail,),) = rows(
        feed, "select detail from audit.entry where action = 'alert.expired' order by entry_no desc limit 1"
    )
    assert detail == {"alerts": 1}


def test_alerts_of_this_year_stay(feed):  # noqa: F811
    put(feed, potassium().replace(b"20261119", b"20101119"))  # an old result, told today
    judge_all(feed)
    with open_work(NIGHT, feed.settings) as work:
        assert expire_alerts(work) == 0


def test_an_erasure_that_is_not_under_way_erases_no_alert(stack):
    with (
        connect("lifecycle", "hot", stack) as hot,
        pytest.raises(psycopg.ProgrammingError, match="no erasure under way"),
    ):
        hot.execute("select critical.erase_rows(gen_random_uuid())")


def test_counts_hold_no_word_of_a_message(feed):  # noqa: F811
    put(
        feed,
        potassium(unit="Quackenbush"),
        b"MSH|^~\\&|Quackenbush|||||ORU^Quackenbush|Q|P|9.9\r",
        b"\xff\xfe",
        admit(1, "A9"),
    )
    judge_all(feed)
    land_source(feed.name, NIGHT, feed.settings)
    told = json.dumps(rows(feed, "select source, what, rule, reason, number from critical.judged"))
    assert "Quackenbush" not in told and "bad_delimiters" in told
