"""The audit trail on the real database: roles cannot change it, and what a superuser bends is found and named."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import date

import psycopg
import pytest

from include.audit import anchor
from include.audit.__main__ import main
from include.audit.anchor import AnchorError, anchor_trail, read_anchors, seal_night, verify_trail
from include.audit.chain import append, verify
from include.lifecycle import store
from include.nights import open_night
from include.privacy.keyring import create_keyring
from include.verdict import decide_verdict, read_facts
from include.warehouse.connect import OWNER, connect

NIGHT = date(2026, 3, 1)


@pytest.fixture
def trail(fresh_hot):
    """Settings of a stack whose trail has ten entries with awkward texts."""
    if not fresh_hot.keyring_dir.exists():
        create_keyring(fresh_hot.keyring_dir)
    with connect("lifecycle", settings=fresh_hot) as hot:
        for number in range(1, 11):
            detail = {"count": number, "a longer name": [1.50, 'é "quoted" \\ \n\t\x7f'], "b": None}
            append(hot, "thing.done", f"thing {number} \u2028 \x01", detail, purpose='te"st\n', actor="somebody")
    return fresh_hot


def bend(settings, statement):
    """What a superuser does to the table with its triggers off."""
    with connect("postgres", settings=settings) as hot:
        hot.execute("alter table audit.entry disable trigger all")
        hot.execute(statement)
        hot.execute("alter table audit.entry enable trigger all")


def found(settings):
    broken = verify_trail(settings).first_break
    return (broken.kind, broken.entry_no) if broken else None


def test_an_untouched_trail_holds_whatever_its_texts_contain(trail, capsys):
    verdict = verify_trail(trail)
    assert verdict.holds, verdict.first_break
    assert verdict.entries == 10
    assert main(["verify"]) == 0
    assert "10 entries hold" in capsys.readouterr().out


ROLES = ("loader", "checker", "transformer", "leak_scanner", "publisher", "lifecycle", "api", "privacy_officer")


def test_no_role_can_write_change_or_remove_an_entry(trail):
    statements = (
        "insert into audit.entry select * from audit.entry limit 1",
        "update audit.entry set actor = 'nobody'",
        "delete from audit.entry",
        "truncate audit.entry",
        "alter table audit.entry disable trigger all",
        "drop trigger no_change on audit.entry",
        "create or replace function audit.refuse_change() returns trigger language plpgsql as 'begin return old; end'",
    )
    for role in ROLES:
        with connect(role, settings=trail, autocommit=True) as hot:
            for statement in statements:
                with pytest.raises(psycopg.errors.InsufficientPrivilege):
                    hot.execute(statement)
    assert found(trail) is None


def test_even_the_owner_is_refused_by_the_triggers(trail):
    for statement in ("update audit.entry set actor = 'nobody'", "delete from audit.entry", "truncate audit.entry"):
        with connect(OWNER, settings=trail) as hot, pytest.raises(psycopg.Error, match="append-only"):
            hot.execute(statement)


def test_an_entry_altered_by_a_superuser_is_named_whatever_was_altered(trail, capsys):
    for change in (
        "actor = 'nobody'",
        "at = at + interval '1 microsecond'",
        "detail = detail || '{\"count\": 99}'",
        "purpose = null",
        "outcome = 'failure'",
        "hash = sha256(hash)",
    ):
        with connect("postgres", settings=trail) as hot:
            hot.execute("alter table audit.entry disable trigger all")
            hot.execute(f"update audit.entry set {change} where entry_no = 4")
            broken = verify(hot).first_break
            hot.rollback()
        assert (broken.kind, broken.entry_no) == ("altered", 4), change
    bend(trail, "update audit.entry set actor = 'nobody' where entry_no = 4")
    assert main(["verify"]) == 1
    assert "altered: entry 4" in capsys.readouterr().err


def test_an_entry_removed_by_a_superuser_is_named(trail):
    bend(trail, "delete from audit.entry where entry_no in (4, 5)")
    assert found(trail) == ("missing", 4)
    assert verify_trail(trail).first_break.says == "entry 4 to 5 is missing"


def test_an_entry_put_in_by_a_superuser_is_named(trail):
    bend(
        trail,
        """insert into audit.entry select 11, at, actor, 'forged', subject, purpose, outcome, detail, '\\x00',
               audit.entry_hash(11, at, actor, 'forged', subject, purpose, outcome, detail, '\\x00')
           from audit.entry where entry_no = 10""",
    )
    assert found(trail) == ("inserted", 11)


def test_a_trail_rewritten_with_true_hashes_or_cut_at_its_end_shows_against_an_anchor(trail):
    assert anchor_trail(NIGHT, trail) == 10
    with connect("lifecycle", settings=trail) as hot:
        append(hot, "thing.done", "after the anchor", {})
    assert found(trail) is None
    bend(trail, "delete from audit.entry where entry_no > 8")
    assert found(trail) == ("cut", 9)
    bend(
        trail,
        """insert into audit.entry
           with recursive forged as (
               select 9::bigint as n, e.hash as previous, audit.entry_hash(9, e.at, 'x', 'y', null, null, 'success', '{}', e.hash) as hash, e.at
               from audit.entry e where entry_no = 8
               union all
               select n + 1, hash, audit.entry_hash(n + 1, at, 'x', 'y', null, null, 'success', '{}', hash), at from forged where n < 11)
           select n, at, 'x', 'y', null, null, 'success', '{}', previous, hash from forged""",
    )
    assert found(trail) == ("altered", 10), "the chain is whole in itself; only the anchor tells"


def test_a_bent_trail_is_not_anchored(trail):
    bend(trail, "update audit.entry set actor = 'nobody' where entry_no = 2")
    with pytest.raises(AnchorError, match="altered: entry 2 does not say what it said"):
        anchor_trail(NIGHT, trail)


def test_a_night_seals_the_trail_before_its_verdict_and_one_that_finds_it_bent_or_cannot_seal_it_is_red(trail):
    open_night(NIGHT, trail)
    sealed = seal_night(NIGHT, trail)
    assert read_anchors(trail).keys() == {sealed}
    assert [reason for reason in _reasons(trail) if "seal" in reason] == []
    without_bucket = replace(trail, bucket_audit="no-such-bucket")
    assert seal_night(NIGHT, without_bucket) is None
    assert "the step 'seal' failed (NoSuchBucket); the log says where" in _reasons(trail)
    assert seal_night(NIGHT, trail) is not None, "tried again, it is done"
    assert [reason for reason in _reasons(trail) if "seal" in reason] == []
    bend(trail, "update audit.entry set actor = 'nobody' where entry_no = 2")
    assert seal_night(NIGHT, trail) is None
    assert "the step 'seal' failed (AnchorError); the log says where" in _reasons(trail)
    assert read_anchors(trail).keys() == {sealed}, "what was bent is not sealed"


def _reasons(settings):
    with connect("publisher", settings=settings) as hot:
        verdict, reasons = decide_verdict(read_facts(hot, NIGHT))
    assert verdict == "red", "nothing was published"
    return [reason.text for reason in reasons]


def test_an_anchor_is_locked_and_a_forged_one_is_refused(trail):
    from include.lifecycle.store import list_keys, look, open_store

    anchor_trail(NIGHT, trail)
    s3 = open_store(trail)
    (key,) = list_keys(s3, trail.bucket_audit)
    assert look(s3, trail.bucket_audit, key).locked_until is not None
    s3.put_object(
        Bucket=trail.bucket_audit, Key="anchor/forged.json", Body=b'{"entry": 3, "hash": "00", "signature": "00"}'
    )
    with pytest.raises(AnchorError, match="that this installation did not sign"):
        verify_trail(trail)


def test_a_trail_rewritten_and_sealed_anew_with_the_keyring_shows_against_the_anchor_that_is_locked(trail):
    anchor_trail(NIGHT, trail)
    rewritten = "set local session_replication_role = replica; truncate audit.entry"
    with connect("postgres", settings=trail) as hot:
        hot.execute(rewritten)
    with connect("lifecycle", settings=trail) as hot:
        for number in range(10):
            append(hot, "thing.else", str(number), {})
    assert found(trail) == ("altered", 10)
    with pytest.raises(AnchorError, match="altered: entry 10"):
        anchor_trail(NIGHT, trail)
    with connect("privacy_officer", settings=trail, autocommit=True) as hot:
        forged = verify(hot)
    assert forged.holds, "the chain is whole in itself"
    _seal(trail, NIGHT, forged)
    with pytest.raises(AnchorError, match="two signed anchors of entry 10 that disagree"):
        verify_trail(trail)


def _seal(settings, night, verdict):
    """What somebody with the keyring can put into the bucket beside, or over, the anchor that is locked."""
    said = {
        "night": str(night),
        "entry": verdict.entries,
        "hash": verdict.last_hash,
        "sealed_at": "2026-03-01T00:00:00",
    }
    body = json.dumps({**said, "signature": anchor._sign(settings, said)}, sort_keys=True).encode()
    key = f"{anchor.PREFIX}{night}-{verdict.entries:012d}.json"
    store.open_store(settings).put_object(Bucket=settings.bucket_audit, Key=key, Body=body)


def test_triggers_switched_off_are_reported(trail):
    with connect("postgres", settings=trail) as hot:
        hot.execute("alter table audit.entry disable trigger no_change")
    assert found(trail) == ("unguarded", 10)


def test_entries_of_many_writers_at_once_make_one_chain(trail):
    import threading

    def write():
        for number in range(10):
            with connect("loader", settings=trail) as hot:
                append(hot, "thing.done", str(number), {})

    writers = [threading.Thread(target=write) for _ in range(4)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    assert (verify_trail(trail).entries, found(trail)) == (50, None)


def test_what_is_rolled_back_leaves_no_entry_and_no_gap(trail):
    with connect("loader", settings=trail) as hot:
        append(hot, "thing.done", "undone", {})
        hot.rollback()
        append(hot, "thing.done", "done", {})
    assert (verify_trail(trail).entries, found(trail)) == (11, None)
