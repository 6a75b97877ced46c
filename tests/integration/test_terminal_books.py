"""What the terminal reads from the night's books."""

from __future__ import annotations

from datetime import date

import pytest

from include.nights import OlderNightError, newer_published, refuse_older
from include.settings import Settings
from include.terminal.books import open_books
from include.terminal.overview import overview
from include.warehouse.connect import OWNER, connect


@pytest.fixture
def two_nights(fresh_hot: Settings) -> Settings:
    with connect(OWNER, settings=fresh_hot) as hot:
        hot.execute(
            """insert into lifecycle.night (night, started_at, verdict, published)
               values ('2026-11-22', '2026-11-22', 'amber', true), ('2026-11-23', '2026-11-23', 'red', false)"""
        )
    return fresh_hot


@pytest.mark.parametrize(
    ("night", "newer"), [("2026-11-21", date(2026, 11, 22)), ("2026-11-22", None), ("2026-11-23", None)]
)
def test_a_night_older_than_what_analysts_see_is_noticed(two_nights, night, newer):
    with open_books(two_nights) as books:
        assert newer_published(books, date.fromisoformat(night)) == newer
        if newer is None:
            refuse_older(books, date.fromisoformat(night), say_instead="")
            return
        with pytest.raises(
            OlderNightError, match="the night of 2026-11-22 is published; that of 2026-11-21"
        ) as refused:
            refuse_older(books, date.fromisoformat(night), say_instead="say OLDER=1")
        assert "run 2026-11-22 again" in str(refused.value)
        assert str(refused.value).endswith("say OLDER=1")


def test_status_names_what_runs_and_how_the_last_night_ended(two_nights):
    told = "\n".join(overview(two_nights.home, (), None))
    assert f"Postgres 17  runs   127.0.0.1:{two_nights.pg_port}" in told
    assert "Airflow      down   'make up' starts it" in told
    assert "last night   2026-11-23 red, not published" in told


def test_status_of_a_folder_that_is_no_home_says_how_to_make_one(tmp_path):
    (told,) = overview(tmp_path, (), None)
    assert "is not a Plumbline home yet; 'make nightly' makes it" in told
