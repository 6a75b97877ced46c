"""What people decide about two records: whether they are one person. Later nights follow; nothing in raw changes."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import date
from uuid import UUID

import psycopg

from include.errors import PlumblineError
from include.settings import Settings
from include.warehouse.connect import connect

VERDICTS = ("accept", "reject", "withdraw")
_PURPOSE = "review of likely pairs"


class IdentityDecisionError(PlumblineError):
    """A decision is about records that are not known, or says too little."""


@dataclass(frozen=True, slots=True)
class Review:
    """Two records that may be one person. ``levels``: how each trait agrees; ``chance`` by the model, between 0 and 1."""

    review_no: int
    one: UUID
    other: UUID
    chance: float
    levels: dict[str, str]
    why: str
    first_night: date
    sources: tuple[str, str]


def list_reviews(settings: Settings | None = None, *, limit: int = 50) -> tuple[list[Review], int]:
    """The likeliest pairs that wait for a decision, and how many wait in all."""
    with connect("privacy_officer", "hot", settings, purpose=_PURPOSE) as hot:
        rows = hot.execute(
            """select review_no, one, other, chance, levels, why, first_night, a.source, b.source
               from restricted.identity_review
               join restricted.person_evidence as a on a.person_token = one
               join restricted.person_evidence as b on b.person_token = other
               order by chance desc, review_no limit %s""",
            [limit],
        ).fetchall()
        (waiting,) = hot.execute("select count(*) from restricted.identity_review").fetchone()
    return [Review(*row[:-2], sources=row[-2:]) for row in rows], waiting


def decide(
    pair: int | tuple[UUID, UUID], verdict: str, *, by: str, reason: str, settings: Settings | None = None
) -> tuple[UUID, UUID]:
    """Write a decision down: about a line of the review list, or about any two person tokens.

    ``accept``: they are one person; ``reject``: they are not, also where a shared identifier says so; ``withdraw``: what was decided
    about them before holds no more. The next resolution follows it. Returns the two tokens. Raises IdentityDecisionError.
    """
    if verdict not in VERDICTS or not by.strip() or not reason.strip():
        raise IdentityDecisionError(
            found="a decision without a known verdict, a person who decides or a reason",
            expected=f"one of {', '.join(VERDICTS)}, and who and why",
            action="say all three",
        )
    with connect("privacy_officer", "hot", settings, purpose=_PURPOSE) as hot:
        one, other = sorted(_tokens(hot, pair))
        hot.execute(
            "insert into restricted.identity_decision (one, other, verdict, decided_by, reason) values (%s, %s, %s, %s, %s)",
            [one, other, verdict, by, reason],
        )
        hot.execute(
            "select audit.append('persons.decided', %s, %s, actor => %s)",
            [f"{one} {other}", json.dumps({"verdict": verdict, "reason": reason}), by],
        )
    return one, other


def _tokens(hot: psycopg.Connection, pair: int | tuple[UUID, UUID]) -> tuple[UUID, UUID]:
    if isinstance(pair, int):
        row = hot.execute("select one, other from restricted.identity_review where review_no = %s", [pair]).fetchone()
    else:
        known = "select count(*) from restricted.person_evidence where person_token = any(%s)"
        row = pair if hot.execute(known, [list(pair)]).fetchone()[0] == 2 else None
    if row is None:
        raise IdentityDecisionError(
            found="no such line in the review list"
            if isinstance(pair, int)
            else "two tokens that are not two known records",
            expected="a number that 'python -m include.identity review' shows, or the tokens of two records",
            action="look at the list again: a night may have settled the pair",
        )
    return row
