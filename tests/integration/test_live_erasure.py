"""A person is erased while messages about them wait in the inbox: what waits of others lands, what waits of them is emptied."""

from __future__ import annotations

import hashlib
import io
import os
from datetime import timedelta
from types import SimpleNamespace
from uuid import UUID

import pyrage

from include.intake.promote import promote_batch
from include.landing.catalogue import object_key
from include.landing.object_store import open_store
from include.lifecycle import desk_erasure
from include.lifecycle.erase import erase_person
from include.lifecycle.work import open_work
from include.live import landing
from include.live.__main__ import landing_recipient
from include.privacy.keyring import load_keyring
from include.warehouse.connect import connect
from tests.deliveries import Delivery
from tests.hl7v2_messages import admit, results
from tests.integration.test_erasure import TWO, landed_text
from tests.integration.test_live import NIGHT, Feed

UNREADABLE = b"MSH|^~\\&|ADTAPP|GHH|E|G|20261120||ADT^A01|B4|P|2.5\rPV1|1\r"


def put(feed: Feed, *messages: bytes) -> None:
    """Messages as the listener leaves them."""
    recipient = [pyrage.x25519.Recipient.from_str(landing_recipient(feed.settings))]
    with connect("listener", settings=feed.settings) as inbox:
        for message in messages:
            inbox.execute(
                "insert into intake.live (source, sender_key, content_key, message_type, bytes, sealed) values (%s, %s, %s, %s, %s, %s)",
                [
                    feed.name,
                    os.urandom(32),
                    os.urandom(32),
                    "ADT^A01",
                    len(message),
                    pyrage.encrypt(message, recipient),
                ],
            )


def take_in(feed: Feed, night) -> Delivery:
    delivery = Delivery(feed.settings, feed.settings.sources_file.parent, feed.name)
    for batch in delivery.load(night):
        promote_batch(delivery.pass_gate(batch), feed.settings)
    return delivery


def leave_an_upload_uncatalogued(feed: Feed) -> None:
    """What a kill between the upload of an object and its catalogue leaves."""
    keyring = load_keyring(feed.settings.keyring_dir)
    with connect("loader", settings=feed.settings) as hot:
        landing._claim(hot, feed.name)
        hot.commit()
        for claim in landing._claims(hot, feed.name):
            content = landing.claimed_content(hot, feed.name, claim, keyring)
            key = object_key(feed.name, hashlib.sha256(content).hexdigest())
            landing._upload(open_store(feed.settings), feed.settings.bucket_landing, key, content, keyring)


def test_what_waits_about_an_erased_person_is_emptied_and_the_others_land(fresh_hot, tmp_path, monkeypatch, capsys):
    feed = Feed(fresh_hot, tmp_path)
    put(feed, admit(1, "A1"), admit(2, "A2"))
    delivery = take_in(feed, NIGHT)
    put(feed, admit(1, "B1", "A03"), results(2, "B2"), results(1, "B3"), UNREADABLE)
    leave_an_upload_uncatalogued(feed)
    assert any("PID|1||P1^" in text and "B3" in text for text in landed_text(delivery).values())
    monkeypatch.setattr("sys.stdin", io.StringIO("P1^^^GHH^MR\n"))
    assert desk_erasure._token(SimpleNamespace(source=feed.name), feed.settings) == 0
    token = capsys.readouterr().out.strip()
    with open_work(NIGHT, feed.settings) as work:
        erasure = erase_person(work, UUID(token), **TWO)
        ((counts,),) = work.hot.execute(
            "select counts from lifecycle.erasure where erasure_id = %s", [erasure]
        ).fetchall()
    assert counts["live_messages"] == 2
    assert [row[0] for row in feed.rows("sealed is null")][-4:] == [True, False, True, False]
    assert [row[0] for row in feed.rows("landed_sha256")][-4:] == ["erased", None, "erased", None]
    take_in(feed, NIGHT + timedelta(days=1))
    texts = landed_text(delivery).values()
    assert not any("PID|1||P1^" in text for text in texts), "neither landed nor left by the killed upload"
    assert sum("PID|1||P2^" in text for text in texts) == 2
    assert sum("|B4|" in text for text in texts) == 1
    assert all(row[0] for row in feed.rows("sealed is null"))
