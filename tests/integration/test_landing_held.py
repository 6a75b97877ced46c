"""A legal hold that is set between the plan and its application keeps the bytes as they were received."""

from __future__ import annotations

from datetime import date, timedelta

import pytest

from include.lifecycle import store
from include.lifecycle.expire_landing import expire_landing
from include.lifecycle.holds import set_hold
from include.lifecycle.plan import plan_moves
from include.lifecycle.units import read_state
from include.lifecycle.work import ChangedError, open_work
from include.warehouse.connect import connect
from tests.months import person, store_month

RECEIVED = date(2018, 1, 10)
SHA256 = "a" * 64
KEY = f"objects/clinic/{SHA256}"
TWO = {"requested_by": "A. Manager", "approved_by": "B. Officer"}


def deliver(settings) -> None:
    """What the month's records were received as."""
    store_month(settings, RECEIVED, records=4, people=2)
    store.open_store(settings).put_object(Bucket=settings.bucket_landing, Key=KEY, Body=b"bytes as received")
    with connect("loader", settings=settings) as hot:
        hot.execute(
            """insert into lifecycle.landing_object (source, sha256, object_key, file_type, name_sealed, bytes_received, bytes_stored,
                   first_night) values ('clinic', %s, %s, '.ndjson', '', 17, 17, %s)""",
            [SHA256, KEY, RECEIVED],
        )
        hot.execute(
            """insert into lifecycle.batch_object (batch_id, object_no, source, sha256)
               select batch_id, 1, 'clinic', %s from lifecycle.batch""",
            [SHA256],
        )


@pytest.mark.parametrize(("held", "goes"), [(0, False), (7, True)])
def test_a_hold_on_a_person_set_since_the_plan_keeps_their_delivery_and_nobody_else_s(fresh_hot, held, goes):
    deliver(fresh_hot)
    night = RECEIVED + timedelta(days=91)
    with open_work(night, fresh_hot) as work:
        state = read_state(work.hot, work.retention, night)
        (due,) = [
            move
            for move in plan_moves(state.units, work.retention, state.holds, today=night)
            if move.unit.kind == "landing"
        ]
        assert (due.action, due.happens) == ("expire_landing", True)
        set_hold(night, reason="a claim", person_token=person(held), settings=fresh_hot, **TWO)
        if goes:
            assert expire_landing(work, due) == 1
        else:
            with pytest.raises(ChangedError, match="was set since the plan was made"):
                expire_landing(work, due)
        assert (store.look(work.s3, fresh_hot.bucket_landing, KEY) is None) == goes
        # Nothing is locked any more: another hold is set at once.
        set_hold(night, reason="another claim", source="elsewhere", settings=fresh_hot, **TWO)
