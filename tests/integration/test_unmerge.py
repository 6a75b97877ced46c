"""Merged and linked in a feed of messages, and parted again by later ones: through identity to the marts, raw as it was."""

from __future__ import annotations

from datetime import timedelta

from include.identity.resolve import resolve_persons
from include.intake.promote import promote_batch
from include.warehouse.connect import connect
from include.warehouse.tables import ensure_views
from tests.dbt.test_build import dbt, rows
from tests.deliveries import NIGHT, Delivery
from tests.hl7v2_messages import PID, admit, message

SHOWN = "select count(*)::int, count(distinct person_key)::int from candidate_clinical.encounters"


def own(line: str, number: int) -> str:
    """A person who shares nothing with the others: no number for life, a birth date of their own."""
    return line.replace("078-05-1120", "").replace("19800229", f"19{60 + number}0{number}12")


def sent(content: bytes, night: int) -> bytes:
    """The same message about its own person, sent on a later day."""
    head, told, rest = content.decode().partition("\rPID|")
    number = int(rest.partition("||P")[2].partition("^")[0])
    first, end, more = rest.partition("\r")
    return f"{head.replace('20261120083000', f'202611{20 + night}083000', 1)}{told}{own(first, number)}{end}{more}".encode()


def second(number: int) -> str:
    return own(PID.format(number=number), number)


def night_of(feed: Delivery, night: int, *messages: bytes) -> None:
    feed.put(f"night{night}.hl7", b"".join(sent(each, night) for each in messages))
    at = NIGHT + timedelta(days=night)
    for batch in feed.load(at):
        promote_batch(feed.pass_gate(batch), feed.settings)
    resolve_persons(at, feed.settings)


def persons(feed: Delivery) -> int:
    """Persons among the tokens that visits name."""
    query = """select count(distinct l.person_key)::int from raw.resource r join restricted.person_link l using (person_token)
               where r.source = %s and r.resource_type = 'Encounter'"""
    with connect("postgres", "hot", feed.settings) as hot:
        return hot.execute(query, [feed.name]).fetchone()[0]


def bodies(feed: Delivery, night: int) -> list[tuple]:
    with connect("postgres", "hot", feed.settings) as hot:
        return hot.execute(
            "select record_id, batch_id, body::text from raw.resource where source = %s and batch_id like %s order by 1",
            [feed.name, f"%{NIGHT + timedelta(days=night):%Y%m%d}%"],
        ).fetchall()


def test_merges_and_links_are_followed_until_later_messages_part_them(fresh_hot, tmp_path):
    feed = Delivery.of(fresh_hot, tmp_path, kind="hl7v2")
    night_of(feed, 0, *(admit(number, f"A{number}") for number in (1, 2, 3, 4)))
    first = bodies(feed, 0)
    assert persons(feed) == 4
    merge = message("ADT^A40^ADT_A39", "MRG|P2^^^GHH^MR", control="B1", number=1)
    link = message("ADT^A24", second(4), control="B2", number=3)
    night_of(feed, 1, merge, link)
    assert persons(feed) == 2
    night_of(feed, 2, admit(3, "C3", "A08"), admit(1, "C1", "A08"))
    assert persons(feed) == 2, "a later message about one of them is no unlink"
    night_of(feed, 3, message("ADT^A37", second(4), control="D1", number=3), admit(2, "D2", "A31"))
    assert persons(feed) == 4
    ensure_views(feed.settings)
    dbt(
        feed.settings, "build", "-s", "+encounters", "+persons", "--resource-type", "seed", "--resource-type", "model",
        night=NIGHT + timedelta(days=3),
    )  # fmt: skip
    assert rows(feed.settings, SHOWN) == [(4, 4)]
    assert rows(feed.settings, "select count(*)::int from candidate_clinical.persons") == [(4,)]
    assert bodies(feed, 0) == first, "raw was touched"
