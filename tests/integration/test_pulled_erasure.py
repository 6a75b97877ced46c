"""A person is erased from what was pulled, line by line, and does not come back with the next pull."""

from __future__ import annotations

from datetime import timedelta

import pytest

from include.lifecycle.erase import erase_person
from include.lifecycle.work import open_work
from tests.fhir_server import MisbehavingServer, serve
from tests.integration.test_database_source import CONTRACT, TABLES
from tests.integration.test_erasure import TWO, landed_text, token_of, value_of, who
from tests.source_systems import NIGHT, Feed, SqliteSystem

P1, P2 = "person-0001", "person-0002"


def erase(feed: Feed) -> None:
    with open_work(NIGHT, feed.settings) as work:
        erase_person(work, token_of(feed.settings, feed.name, P1), **TWO)


def from_database(settings, folder):
    system = SqliteSystem(folder)
    system(*TABLES[:2], f"insert into patients values ('{P1}', 'a', '1980-02-29', 'F', null), ('{P2}', 'b', '1950-01-01', 'M', null)",
           f"""insert into visits values ('v1', '{P1}', 'AMB', 'finished', '2026-10-01 10:00:00', '2026-11-20 10:00:00'),
               ('v2', '{P2}', 'AMB', 'finished', '2026-10-01 10:00:00', '2026-11-20 10:00:00')""")  # fmt: skip
    (folder / "east.yml").write_text(CONTRACT)
    words = {"url_secret": "east_url", "contract": "east.yml", "tries": 1}
    yield Feed.of(settings, folder, "database", {"east_url": system.url}, **words)
    system(f"delete from patients where id = '{P1}'", "update visits set kind = 'IMP', changed = '2026-11-22 10:00:00'")
    yield None


def from_server(settings, folder):
    server = MisbehavingServer({"Patient": [who(1, P1), who(2, P2)], "Observation": [value_of(1, P1), value_of(2, P2)]})
    with serve(server):
        yield Feed.of(settings, folder, "fhir_api", url=server.url, types=["Patient", "Observation"], tries=1)
        server.resources["Observation"] = [value_of(3, P1), value_of(4, P2)]
        yield None


@pytest.mark.parametrize("make", [from_database, from_server])
def test_only_the_person_leaves_landing_and_the_next_pull_refuses_them(fresh_hot, tmp_path, make):
    steps = make(fresh_hot, tmp_path)
    feed = next(steps)
    feed.night()
    before = landed_text(feed)
    assert sum(P1 in text for text in before.values()) == 2
    erase(feed)
    after = landed_text(feed)
    assert len(after) == len(before), "an object of several persons was removed whole"
    assert not any(P1 in text for text in after.values())
    assert sum(P2 in text for text in after.values()) == 2
    next(steps)
    feed.night(NIGHT + timedelta(days=1))
    refused = feed.ask(
        "select reason_code, count(*)::int from quality.quarantine where source = %s group by 1", feed.name
    )
    assert refused == [("erased_person", 1)], (
        "the row or resource that is news; what did not change is not asked for again"
    )
    in_hot = "select count(*)::int from lifecycle.record where person_token = %s and tier = 'hot'"
    assert feed.ask(in_hot, token_of(feed.settings, feed.name, P1)) == [(0,)]
    assert feed.ask(in_hot, token_of(feed.settings, feed.name, P2)) == [(3,)]
    steps.close()
