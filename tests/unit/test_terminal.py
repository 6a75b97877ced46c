"""What a person at a terminal is shown, and what the shell is told."""

from __future__ import annotations

import io
import re
import subprocess
import threading
import urllib.error
import urllib.request
from datetime import date
from pathlib import Path

import pytest

from include.terminal.dbt_dev import Difference, describe, developer, withhold
from include.terminal.docs_site import docs_server
from include.terminal.nightly import NightError, Order, exit_code
from include.terminal.overview import LastNight, describe_night
from include.terminal.progress import Screen, StepRow, describe_step, merge_batches

PROJECT = Path(__file__).parents[2]


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def step(number: int, state: str, seconds: float = 1.0, **counts: float) -> StepRow:
    error = "BuildError" if state == "failed" else None
    return StepRow(number, "load", "north", state, seconds, counts, error)


@pytest.mark.parametrize(
    ("verdict", "strict", "code"),
    [
        ("green", False, 0),
        ("green", True, 0),
        ("amber", False, 0),
        ("amber", True, 3),
        ("red", False, 1),
        ("red", True, 1),
    ],
)
def test_the_exit_code_tells_the_verdict(verdict, strict, code):
    assert exit_code(verdict, strict=strict) == code


def test_a_step_is_one_line_with_its_counts_and_its_time():
    line = describe_step(step(1, "done", 12.34, received=127_685, loaded=127_000, duplicate=0))
    assert line == "  ok  load north                          12.3 s   127,685 received, 127,000 loaded"


def test_a_step_that_had_nothing_to_do_says_so_without_a_number():
    assert describe_step(step(1, "done", unchanged=1)).endswith(" s   unchanged")


def test_a_failed_step_says_so_and_by_what():
    assert describe_step(step(1, "failed")).endswith("failed: BuildError")


def other(number: int, state: str) -> StepRow:
    return StepRow(number, "build", None, state, 1.0, {}, None)


def test_an_ended_step_is_printed_once_and_a_running_one_not_at_all_where_nobody_watches():
    out = io.StringIO()
    screen = Screen(out)
    for _ in range(3):
        screen.show([step(1, "done"), other(2, "running")])
    assert out.getvalue() == describe_step(step(1, "done")) + "\n"


def test_batches_of_one_source_are_one_line_when_the_last_is_done():
    out = io.StringIO()
    screen = Screen(out)
    screen.show([step(1, "done", loaded=5)])
    screen.show([step(1, "done", loaded=5), step(2, "running")])
    screen.show([step(1, "done", loaded=5), step(2, "done", 2.0, loaded=7), other(3, "done")])
    screen.show([step(1, "done", loaded=5), step(2, "done", 2.0, loaded=7), other(3, "done")], is_over=True)
    assert out.getvalue().splitlines() == [
        describe_step(step(1, "done", 3.0, loaded=12)),
        describe_step(other(3, "done")),
    ]


def test_one_failed_batch_makes_the_whole_line_failed():
    (row,) = merge_batches([step(1, "done"), step(2, "failed"), step(3, "done")])
    assert (row.state, row.error_code) == ("failed", "BuildError")


def test_a_step_that_takes_long_gives_a_sign_of_life_every_half_minute_where_nobody_watches():
    out = io.StringIO()
    screen = Screen(out)
    for seconds in (10, 29, 31, 45, 59, 61):
        screen.show([step(1, "running", seconds)])
    assert out.getvalue().splitlines() == [describe_step(step(1, "running", 31)), describe_step(step(1, "running", 61))]


def test_a_terminal_shows_what_runs_on_one_line_that_it_takes_away_again():
    out = Terminal()
    screen = Screen(out)
    screen.show([step(1, "running", 5.0)])
    screen.show([step(1, "done", 6.0)], is_over=True)
    assert "load north 5 s" in out.getvalue()
    assert "\n" not in out.getvalue().split("load north 5 s")[0]
    assert out.getvalue().rsplit("\x1b[2K", 1)[-1] == describe_step(step(1, "done", 6.0)) + "\n"


def test_an_order_names_everything_that_is_wrong_with_it():
    environment = {
        "PEOPLE": "many",
        "SEED": "1",
        "PLUMBLINE_SOURCES": "/nowhere/sources.yml",
        "PLUMBLINE_DAY": "24.11.",
    }
    with pytest.raises(NightError) as refused:
        Order.from_environment(environment)
    assert refused.value.found == (
        "PEOPLE is not a whole number; SOURCES names /nowhere/sources.yml, which is no file; "
        "DAY=24.11. is not a day written YYYY-MM-DD"
    )


def test_an_order_without_words_is_the_sample_in_dot_local():
    order = Order.from_environment({})
    assert (order.home, order.people, order.sources) == (Path(".local").resolve(), 2000, None)
    assert (order.older, Order.from_environment({"OLDER": "1"}).older) == (False, True)


def test_a_developer_s_schema_is_a_valid_name_whatever_the_account_is_called(monkeypatch):
    monkeypatch.setenv("PLUMBLINE_DEV_USER", "Ann-Marie.O'Neil")
    assert developer() == "ann_marie_o_neil"


def test_a_difference_is_told_in_counts_and_names_of_columns():
    lines = describe(
        Difference("candidate_clinical.encounters", 100, 98, 5, 3, ("is_new",), (), {"class_code": 2, "length_days": 3})
    )
    assert list(lines) == [
        "candidate_clinical.encounters: 100 rows, now 98",
        "  5 rows are gone or changed, 3 are new or changed",
        "  length_days: 3 values differ",
        "  class_code: 2 values differ",
        "  columns added: is_new",
    ]


@pytest.mark.parametrize("words", [["PEPLE=400"], ["people=400", "DAY=2026-11-24"]])
def test_make_refuses_a_word_that_nothing_reads(words):
    refused = subprocess.run(["make", "help", *words], capture_output=True, text=True, cwd=PROJECT, check=False)
    assert refused.returncode != 0
    assert f"not known: {words[0].split('=')[0]}=" in refused.stderr


def test_make_takes_every_word_that_its_help_names():
    shown = subprocess.run(["make", "help"], capture_output=True, text=True, cwd=PROJECT, check=True).stdout
    words = sorted({*re.findall(r"\b[A-Z]+(?==)", shown)} - {"NAME"})  # 'export NAME=value' is what it prints
    assert "SOURCES" in words
    subprocess.run(["make", "help", *(f"{word}=x" for word in words)], capture_output=True, cwd=PROJECT, check=True)


@pytest.mark.parametrize(
    ("line", "shown"),
    [
        ("  DETAIL:  Failing row contains (7, Jane, 1986-03-01).\n", "  (a row is quoted here; it is withheld)\n"),
        ('  CONTEXT:  COPY persons, line 1, column born: "1.3.1986"\n', "  (a row is quoted here; it is withheld)\n"),
        ('  invalid input syntax for type date: "1.3.1986"\n', '  invalid input syntax for type date: "…"\n'),
        ('  column "zip9" does not exist\n', '  column "zip9" does not exist\n'),
        (
            '  relation "persons" violates check constraint "a"\n',
            '  relation "persons" violates check constraint "a"\n',
        ),
    ],
)
def test_what_a_database_quotes_of_a_row_is_not_shown_to_who_edits_a_model(line, shown):
    assert withhold(line) == shown


def test_the_documentation_is_served_and_the_rest_of_its_folder_is_not(tmp_path):
    for name in ("index.html", "manifest.json", "catalog.json", "run_results.json"):
        (tmp_path / name).write_text(name)
    with docs_server(tmp_path) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        address = f"http://127.0.0.1:{server.server_port}"
        for path, name in (
            ("/", "index.html"),
            ("/manifest.json?cb=1", "manifest.json"),
            ("/catalog.json", "catalog.json"),
        ):
            assert urllib.request.urlopen(address + path, timeout=10).read().decode() == name
        with pytest.raises(urllib.error.HTTPError, match="404"):
            urllib.request.urlopen(address + "/run_results.json", timeout=10)
        server.shutdown()


@pytest.mark.parametrize(
    ("verdict", "is_published", "step", "is_running", "told"),
    [
        ("amber", True, None, False, "2026-11-24 amber, published"),
        ("red", False, None, False, "2026-11-24 red, not published"),
        (None, False, "load north", True, "2026-11-24 is running: load north"),
        (None, False, None, True, "2026-11-24 is running"),
        (None, False, "load north", False, "2026-11-24 did not end; 'make nightly DAY=2026-11-24' goes on from there"),
    ],
)
def test_status_tells_how_the_newest_night_stands(verdict, is_published, step, is_running, told):
    last = LastNight(date(2026, 11, 24), verdict, is_published, step)
    assert describe_night(last, is_running=is_running) == told
