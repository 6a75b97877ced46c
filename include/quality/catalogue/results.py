"""Results: what a check counted, and what that means under a threshold. Judging again needs no rows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import psycopg

from include.quality.catalogue.check_types import CheckType, Instance

PASSED, FAILED, NOT_APPLICABLE, ERROR = "passed", "failed", "not_applicable", "error"
GATE, ENGINE = "gate", "engine"
# Where in the night a check looked: at what came, at persons once they are resolved, at the marts before publication.
DELIVERY, RESOLVED, MART = "delivery", "resolved", "mart"


@dataclass(frozen=True, slots=True)
class Result:
    """One check's counts and verdict. ``tested`` and ``failed`` are None where it could not be counted: then it is an error."""

    check: CheckType
    instance: str
    subject: str
    tested: int | None
    failed: int | None
    threshold: float
    status: str
    error_code: str | None = None
    data_class: str | None = None
    judge: str = ENGINE
    stage: str = DELIVERY
    error_text: str | None = None

    @property
    def share(self) -> float:
        """The share of tested records that failed; 0 where none was tested."""
        return self.failed / self.tested if self.tested and self.failed else 0.0

    def as_mapping(self) -> Mapping[str, object]:
        """The result as JSON carries it: allow-listed words and numbers."""
        return {
            "check": self.check.name, "instance": self.instance, "subject": self.subject, "status": self.status,
            "tested": self.tested, "failed": self.failed, "threshold": self.threshold,
            "kahn_category": self.check.category, "kahn_subcategory": self.check.subcategory,
            "kahn_context": self.check.context, "dimension": self.check.dimension, "data_class": self.data_class,
            "judge": self.judge, "stage": self.stage, "error_code": self.error_code,
            "error_text": self.error_text,
        }  # fmt: skip


def judge(tested: int | None, failed: int | None, threshold: float, error_code: str | None = None) -> str:
    """passed, failed, not_applicable or error. What could not be counted is an error, and an error is never a pass."""
    if error_code or tested is None or failed is None or not 0 <= failed <= tested:
        return ERROR
    if tested == 0:
        return NOT_APPLICABLE
    return FAILED if failed / tested > threshold else PASSED


Problem = tuple[str, str | None]


def error_of(problem: Exception) -> Problem:
    """An error as a code, and in words where they can quote nothing but the statement (SQLSTATE class 42: a statement that
    Postgres did not begin to run). Of all others the text may quote a value, so it is not kept."""
    code = getattr(problem, "sqlstate", None) or type(problem).__name__
    if code.startswith("42") and isinstance(problem, psycopg.Error):
        return code, problem.diag.message_primary
    return code, _IN_WORDS.get(code[:2])


_IN_WORDS = {
    "22": "a value cannot be computed with: divide by nullif(…, 0), cast only what matches a form first",
    "25": "it tries to change something; checks may only read",
    "53": "the server is out of memory, connections or disk",
    "57": "it took longer than it may (five minutes), or the server was stopped",
}


def result(
    instance: Instance,
    tested: int | None,
    failed: int | None,
    *,
    error: Problem | None = None,
    data_class: str | None = None,
) -> Result:
    """The result of an instance under its own threshold."""
    error_code, error_text = error or (None, None)
    status = judge(tested, failed, instance.threshold, error_code)
    return Result(
        instance.check,
        instance.name,
        instance.subject,
        tested,
        failed,
        instance.threshold,
        status,
        error_code,
        data_class,
        error_text=error_text,
    )


def judged_again(found: Result, threshold: float) -> Result:
    """The same counts under another threshold."""
    return replace(found, threshold=threshold, status=judge(found.tested, found.failed, threshold, found.error_code))
