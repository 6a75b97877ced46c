"""What analysts see of the night's books, also of a night on which nearly everything was refused."""

from __future__ import annotations

import tracemalloc
from datetime import date

from include.nights import open_night
from include.settings import Settings
from include.warehouse.connect import connect
from include.warehouse.governance import copy_books

NIGHT = date(2026, 11, 23)
REFUSED = 20_000


def refuse_a_delivery(settings: Settings) -> None:
    with connect("loader", "hot", settings) as books:
        books.execute(
            """insert into lifecycle.batch (batch_id, source, dataset, shape, night, state, received, quarantined)
               values ('b', 'north', 'resource', 'documents', %s, 'promoted', %s, %s)""",
            [NIGHT, REFUSED, REFUSED],
        )
        books.execute(
            """insert into quality.quarantine (quarantine_id, batch_id, night, source, dataset, place, scope, reason_code,
                   found, expected, action, stage)
               select gen_random_uuid(), 'b', %s, 'north', 'resource', 'line ' || n, 'record', 'bad_id',
                      repeat('what was found ', 10), 'something else', 'have the source correct it', 'load'
               from generate_series(1, %s) n""",
            [NIGHT, REFUSED],
        )


def test_a_night_of_refusals_is_copied_whole_and_never_held_in_memory(fresh_hot: Settings):
    open_night(NIGHT, fresh_hot)
    refuse_a_delivery(fresh_hot)
    tracemalloc.start()
    try:
        with connect("publisher", "hot", fresh_hot) as hot:
            for _ in range(2):
                copy_books(hot, NIGHT, fresh_hot)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    with connect("reader", "warm", fresh_hot) as warm:
        assert warm.execute("select count(*) from governance.quarantine").fetchone() == (REFUSED,)
        assert warm.execute("select count(*) from governance.batches").fetchone() == (1,)
    assert peak < REFUSED * 400, f"{peak:,} bytes of Python objects for {REFUSED:,} refusals"
