"""Removes what the store finished too late: objects of copies that were thrown away.

A run killed in the middle of an upload leaves a request that the store may still complete, minutes later and after the next
run has deleted every version of that key. So an abandoned file is remembered, and looked for at the start and the end of
every apply, until it was found absent more than ``UPLOAD_HOURS`` after it was abandoned. Its key was destroyed when it was
abandoned: what comes late is noise to everybody, and costs room only.
"""

from __future__ import annotations

from include.lifecycle import ledger, store
from include.lifecycle.work import Work, store_troubles

UPLOAD_HOURS = 24  # no upload of one file of at most 256 MB lasts that long; by the clock of Postgres


def sweep_abandoned(work: Work) -> int:
    """Remove objects of abandoned files, every version. Returns how many files were there after all; repeatable.

    A store that does not answer keeps nothing else from being done: the files stay watched, and the next run asks again.
    """
    late = 0
    try:
        for file_id, key in _watched(work):
            late += _swept(work, file_id, key)
    except store_troubles() as trouble:
        ledger.audit(work.hot, "late_copies.not_swept", "cold", {"error": type(trouble).__name__}, outcome="failure")
    return late


def is_watching(hot) -> bool:
    """True while an abandoned object might still appear."""
    return hot.execute(
        "select exists (select from lifecycle.cold_file where tier = 'abandoned' and not stays_gone)"
    ).fetchone()[0]


def _watched(work: Work) -> list[tuple[int, str]]:
    return work.hot.execute(
        "select file_id, object_key from lifecycle.cold_file where tier = 'abandoned' and not stays_gone order by file_id"
    ).fetchall()


def _swept(work: Work, file_id: int, key: str) -> bool:
    if store.remove_all_versions(work.s3, work.cold, key):
        ledger.audit(work.hot, "file.late_copy_removed", key, {"file": file_id})
        return True
    work.hot.execute(
        """update lifecycle.cold_file set stays_gone = true
           where file_id = %s and abandoned_at < clock_timestamp() - make_interval(hours => %s)""",
        [file_id, UPLOAD_HOURS],
    )
    return False
