"""What a night left in the databases, fetched for scoring: refusals, counts, estimates, texts, links. Reads only."""

import re
from collections.abc import Mapping
from datetime import date
from typing import Any

import psycopg

from include.privacy.tokens import Tokeniser
from include.sample.score import Estimate, Refusal
from include.sources.database import ENDINGS

REASON_KINDS = {
    "is stale": "stale_source",
    "changed its shape": "drift",
    "is held back": "held_back_batch",
    "of export errors": "export_errors",
    "the key of another row": "duplicate_key",
    "which should be there": "absent_file",
}
ALSO = re.compile(r"\(also: ([a-z0-9_, ]+)\)")


def fetch_refusals(books: psycopg.Connection, night: date) -> list[Refusal]:
    """Return the night's quarantine, places as numbers; 0 is a whole file or batch."""
    rows = books.execute(
        """select q.source, dataset, coalesce(object_sha256, ''), coalesce(place, ''), reason_code, records, found,
                  coalesce(landed.hint ->> 'role', '')
           from quality.quarantine q
           left join lifecycle.landing_object landed on (landed.source, landed.sha256) = (q.source, q.object_sha256)
           where night = %s and scope <> 'batch'""",
        (night,),
    ).fetchall()
    return [
        Refusal(
            source, dataset, sha256, _place(place), reason, records, _also(found), f"{dataset}{ENDINGS.get(role, '')}"
        )
        for source, dataset, sha256, place, reason, records, found, role in rows
    ]


def _place(text: str) -> int:
    digits = re.search(r"\d+", text)
    return int(digits.group()) if digits else 0


def _also(found: str) -> tuple[str, ...]:
    match = ALSO.search(found)
    return tuple(match.group(1).split(", ")) if match else ()


def fetch_counts(books: psycopg.Connection, night: date) -> dict[tuple[str, str], Mapping[str, int]]:
    """Return the night's counts per source and dataset."""
    rows = books.execute(
        """select source, dataset, sum(received)::bigint, sum(loaded)::bigint, sum(duplicate)::bigint, sum(quarantined)::bigint
           from lifecycle.batch where night = %s group by 1, 2""",
        (night,),
    ).fetchall()
    names = ("received", "loaded", "duplicate", "quarantined")
    return {(source, dataset): dict(zip(names, counts, strict=True)) for source, dataset, *counts in rows}


def fetch_estimates(marts: psycopg.Connection, measurement_year: int) -> list[Estimate]:
    """Return the published differences of the measurement year, and of the influenza season that ended in it; none where no night
    was ever published."""
    if marts.execute("select to_regclass('equity.disparities')").fetchone()[0] is None:
        return []
    rows = marts.execute(
        """select measure_id, dimension, comparison_group, reference_group, estimate, lower_limit, upper_limit from equity.disparities
           where statistic = 'rate_difference' and period in (%s, %s)""",
        _periods(measurement_year),
    ).fetchall()
    return [Estimate(*row) for row in rows]


def fetch_groups(books: psycopg.Connection, measurement_year: int) -> dict[tuple[str, str, str], tuple[float, float]]:
    """Return every group's denominator and numerator in the measurement year, before anything is hidden."""
    rows = books.execute(
        """select counts.measure_id, dimension, subgroup,
                  case catalogue.kind when 'proportion' then people else round(person_days / 365.25, 1) end::float8, events::float8
           from intermediate.int_measures__group_counts as counts
           inner join intermediate.measure_catalogue as catalogue using (measure_id)
           where period in (%s, %s)""",
        _periods(measurement_year),
    ).fetchall()
    return {(measure, dimension, group): (size, count) for measure, dimension, group, size, count in rows}


def _periods(measurement_year: int) -> tuple[str, str]:
    """The calendar year, and the influenza season that ended in it."""
    return str(measurement_year), f"{measurement_year - 1}-{measurement_year % 100:02d}"


def fetch_links(books: psycopg.Connection) -> dict[str, list[str]]:
    """Return person tokens by person key, for keys that hold several."""
    rows = books.execute(
        """select person_key::text, array_agg(person_token::text order by person_token) from restricted.person_link
           group by 1 having count(*) > 1"""
    ).fetchall()
    return dict(rows)


def fetch_note_texts(books: psycopg.Connection, tokeniser: Tokeniser, notes: list[Mapping[str, Any]]) -> dict[str, str]:
    """Return the de-identified text that the night made of each of the key's notes, by document."""
    of_token = {
        tokeniser.id_token(row["source"], "DocumentReference", row["document"]): row["document"] for row in notes
    }
    rows = books.execute(
        """select resource.resource_id::text, made.text from restricted.document_text made
           inner join raw.resource using (record_id) where resource.resource_id::text = any(%s) and made.text is not null""",
        [list(of_token)],
    ).fetchall()
    return {of_token[token]: text for token, text in rows}


def fetch_reasons(books: psycopg.Connection, night: date) -> set[tuple[str, str]]:
    """Return why the night is not green as (source, kind as the key calls it); what the key has no word for stays a sentence."""
    row = books.execute("select reasons from lifecycle.night where night = %s", (night,)).fetchone()
    return {reason_of(reason["text"]) for reason in (row[0] if row else ())}


def reason_of(text: str) -> tuple[str, str]:
    """The source and the kind of a reason."""
    source = text.removeprefix("optional source ").removeprefix("required source ").split(" ")[0].rstrip(":")
    return source, next((kind for words, kind in REASON_KINDS.items() if words in text), text)


def fetch_verdict(books: psycopg.Connection, night: date) -> str | None:
    """Return the night's verdict, None where it has none."""
    row = books.execute("select verdict from lifecycle.night where night = %s", (night,)).fetchone()
    return row[0] if row else None
