"""Refused logins are found in a server's log, whole lines only, and nothing else of it is taken up."""

from __future__ import annotations

from pathlib import Path

from include.audit.logins import _read

AT = b"2026-11-25 09:00:00.123 UTC [123]"


def lines(*texts: bytes) -> bytes:
    return b"".join(text + b"\n" for text in texts)


def test_each_kind_of_refusal_is_told_by_role_database_and_reason(tmp_path: Path):
    log = tmp_path / "postgres.log"
    log.write_bytes(
        lines(
            AT + b' loader@hot [unknown] FATAL:  password authentication failed for user "loader"',
            AT + b' analyst@keys plumbline analyst FATAL:  permission denied for database "keys"',
            AT + b' nobody@hot [unknown] FATAL:  role "nobody" does not exist',
            AT + b' reader@lost [unknown] FATAL:  database "lost" does not exist',
            AT + b" @  LOG:  database system is ready to accept connections",
            AT + b" loader@hot plumbline loader FATAL:  terminating connection due to administrator command",
        )
    )
    refused, position = _read(log, 0)
    assert refused == [
        ("loader", "hot", "wrong password"),
        ("analyst", "keys", "no right to the database"),
        ("nobody", "hot", "no such role"),
        ("reader", "lost", "no such database"),
    ]
    assert position == log.stat().st_size


def test_a_line_that_is_still_being_written_waits_for_the_next_look(tmp_path: Path):
    log, refusal = (
        tmp_path / "postgres.log",
        AT + b' loader@hot [unknown] FATAL:  password authentication failed for user "loader"',
    )
    log.write_bytes(lines(refusal) + refusal[:60])
    refused, position = _read(log, 0)
    assert (len(refused), position) == (1, len(refusal) + 1)
    log.write_bytes(lines(refusal, refusal))
    assert len(_read(log, position)[0]) == 1
    assert _read(log, log.stat().st_size) == ([], log.stat().st_size)
