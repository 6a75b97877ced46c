"""Results: what a check counted, and what that means under a threshold. Judging again needs no rows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from include.quality.catalogue.check_types import CheckType, Instance

PASSED, FAILED, NOT_APPLICABLE, ERROR = "passed", "failed", "not_applicable", "error"
GATE, ENGINE = "gate", "engine"


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
            "judge": self.judge, "error_code": self.error_code,
        }  # fmt: skip


def judge(tested: int | None, failed: int | None, threshold: float, error_code: str | None = None) -> str:
    """passed, failed, not_applicable or error. What could not be counted is an error, and an error is never a pass."""
    if error_code or tested is None or failed is None or not 0 <= failed <= tested:
        return ERROR
    if tested == 0:
        return NOT_APPLICABLE
    return FAILED if failed / tested > threshold else PASSED


def result(
    instance: Instance,
    tested: int | None,
    failed: int | None,
    *,
    error_code: str | None = None,
    data_class: str | None = None,
) -> Result:
    """The result of an instance under its own threshold."""
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
    )


def judged_again(found: Result, threshold: float) -> Result:
    """The same counts under another threshold."""
    return replace(found, threshold=threshold, status=judge(found.tested, found.failed, threshold, found.error_code))
