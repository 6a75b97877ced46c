"""Green, amber or red: the pure rule, and closing the books of a night with it."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import date

import psycopg

from include.nights import current_attempt
from include.quality.freshness import late_sources
from include.settings import Settings
from include.warehouse.audit import NO_FALSE_GREEN, NOTHING_LOST
from include.warehouse.connect import connect

LEVELS = ("green", "amber", "red")
# Steps whose work must be done before analysts may see the night.
NEEDED_STEPS = ("resolve", "build", "audit", "publish")


@dataclass(frozen=True, slots=True)
class Reason:
    """Why a night is not green: its level, the promise at stake and a sentence without values."""

    level: str
    promise: str
    text: str


@dataclass(frozen=True, slots=True)
class SourceState:
    """A source on a night, as landing saw it."""

    source: str
    required: bool
    missing: bool
    stale: bool
    age_days: int | None
    max_age_days: int | None
    drifted_columns: int
    drift_text: str = ""
    is_late: bool = False  # brings nothing new on a night on which it always did
    warnings: tuple[str, ...] = ()  # files left for the next night, announced but absent, and the like


@dataclass(frozen=True, slots=True)
class Facts:
    """All that a verdict depends on."""

    sources: tuple[SourceState, ...]
    held_back: tuple[tuple[str, str, str], ...]  # source, dataset, why
    failed_steps: tuple[tuple[str, str | None, str | None], ...]  # step, source, class of the error
    done_steps: frozenset[str]
    findings: tuple[tuple[str, str, int, str], ...]  # finding, subject, failures, promise
    alarms: tuple[str, ...] = ()  # what looks wrong in the measures although nothing failed

    @property
    def is_published(self) -> bool:
        """Whether analysts see this night. A step that fails after publishing, such as tiering, is red all the same."""
        return "publish" in self.done_steps


def decide_verdict(facts: Facts) -> tuple[str, tuple[Reason, ...]]:
    """The verdict and every reason for it, worst first. Green needs every step done and nothing to say."""
    reasons = [
        *(_source_reason(state) for state in facts.sources if state.missing or state.stale or state.is_late),
        *(_drift_reason(state) for state in facts.sources if state.drifted_columns),
        *(Reason("amber", NOTHING_LOST, f"{state.source}: {text}")
          for state in facts.sources if not state.missing for text in state.warnings),
        *(Reason("amber", NOTHING_LOST, f"{source}: {dataset} is held back as a whole: {why}")
          for source, dataset, why in facts.held_back),
        *(Reason("amber", NO_FALSE_GREEN, said) for said in facts.alarms),
        *(Reason("red", promise, f"{finding.replace('_', ' ')}: {subject} ({failures})")
          for finding, subject, failures, promise in facts.findings),
        *(_step_reason(*failed) for failed in facts.failed_steps),
        *(Reason("red", NO_FALSE_GREEN, f"the step '{name}' did not finish")
          for name in NEEDED_STEPS
          if name not in facts.done_steps and name not in {failed[0] for failed in facts.failed_steps}),
    ]  # fmt: skip
    reasons.sort(key=lambda reason: -LEVELS.index(reason.level))
    return (reasons[0].level if reasons else "green"), tuple(reasons)


def _source_reason(state: SourceState) -> Reason:
    if state.missing:
        what = "is missing: nothing of its kind came from where sources.yml says"
    elif state.is_late:
        what = "is late: it brings nothing new, as it always did on this weekday or on each of the last seven nights"
    else:
        what = f"is stale: its data is {state.age_days} days old, at most {state.max_age_days} are allowed"
    kind = "required" if state.required else "optional"
    return Reason("red" if state.required else "amber", NO_FALSE_GREEN, f"{kind} source {state.source} {what}")


def _drift_reason(state: SourceState) -> Reason:
    return Reason(
        "amber", NOTHING_LOST,
        f"{state.source} changed its shape in {state.drifted_columns} column(s): {state.drift_text}; "
        "add them to its contract (as columns, or under not_loaded with the reason) or ask the source",
    )  # fmt: skip


def _step_reason(name: str, source: str | None, error: str | None) -> Reason:
    where = f" of {source}" if source else ""
    promise = NOTHING_LOST if name in ("land", "load", "check", "promote") else NO_FALSE_GREEN
    return Reason("red", promise, f"the step '{name}'{where} failed ({error or 'unknown error'}); the log says where")


def close_night(night: date, settings: Settings | None = None) -> str:
    """Decide the verdict, write it into the books and copy the books to ``governance`` in warm. Returns the verdict."""
    from include.warehouse.governance import copy_books

    settings = settings or Settings.from_environment(os.environ)
    with connect("publisher", "hot", settings) as hot:
        facts = read_facts(hot, night)
        verdict, reasons = decide_verdict(facts)
        hot.execute(
            # A night whose very opening failed has no row yet; it gets its verdict all the same.
            """insert into lifecycle.night (verdict, reasons, finished_at, published, night)
               values (%s, %s, clock_timestamp(), %s, %s)
               on conflict (night) do update set verdict = excluded.verdict, reasons = excluded.reasons,
                   finished_at = excluded.finished_at, published = excluded.published""",
            [verdict, json.dumps([asdict(reason) for reason in reasons]), facts.is_published, night],
        )
        hot.execute(
            "select audit.append('night.closed', %s, jsonb_build_object('verdict', %s::text))", [str(night), verdict]
        )
        hot.commit()
        copy_books(hot, night, settings)
    return verdict


def read_facts(hot: psycopg.Connection, night: date) -> Facts:
    """Read what the verdict of the night's last attempt depends on."""
    attempt = current_attempt(hot, night)
    sources = hot.execute(
        """select source, required, missing, stale, age_days, max_age_days, drift, notes
           from lifecycle.source_state where night = %s order by source""",
        [night],
    ).fetchall()
    late = late_sources(hot, night)
    held = hot.execute(
        """select source, dataset, coalesce(held_reason, 'no reason on the books') from lifecycle.batch
           where state = 'held_back' order by source, dataset"""
    ).fetchall()
    steps = hot.execute(_LAST_STATE_OF_EACH_STEP, [night, attempt]).fetchall()
    findings = hot.execute(
        """select finding, subject, failures, promise from quality.audit_finding
           where night = %s and attempt = %s order by finding, subject""",
        [night, attempt],
    ).fetchall()
    alarms = hot.execute(
        "select said from quality.measure_alarm where night = %s and attempt = %s order by alarm, subject",
        [night, attempt],
    ).fetchall()
    return Facts(
        sources=tuple(_source_state(row, late) for row in sources),
        held_back=tuple(held),
        failed_steps=tuple((name, source, error) for name, source, state, error in steps if state != "done"),
        done_steps=frozenset(name for name, _, state, _ in steps if state == "done"),
        findings=tuple(findings),
        alarms=(*(said for (said,) in alarms), *_uncounted_marts(hot, night)),
    )


def _uncounted_marts(hot: psycopg.Connection, night: date) -> Iterator[str]:
    """An error is never a pass: how many checks of marts and resolved persons there are no counts of."""
    (errors,) = hot.execute(
        "select count(*) from quality.check_result where night = %s and stage <> 'delivery' and status = 'error'",
        [night],
    ).fetchone()
    if errors:
        yield f"{errors} checks of the marts and of persons of several sources could not be counted; the report says which"


# A retried task leaves a failed try behind; what counts is how its last try ended.
_LAST_STATE_OF_EACH_STEP = """
    select distinct on (step, source) step, source, state, error_code from lifecycle.step
    where night = %s and attempt = %s and step <> 'report' order by step, source, step_id desc
"""


def _source_state(row: Sequence, late: frozenset[str]) -> SourceState:
    *state, drift, notes = row
    columns = [(entry.get("table"), name) for entry in drift for name in entry.get("columns", [])]
    warnings = tuple(note["text"] for note in notes if note.get("level") == "amber")
    return SourceState(
        *state, drifted_columns=len(columns), drift_text=_shown(columns), warnings=warnings, is_late=state[0] in late
    )


def _shown(columns: Iterable[tuple[str | None, str]], most: int = 4) -> str:
    names = [f"{table}.{name}" if table else name for table, name in columns]
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")
