"""Refused logins, told reads and sessions are found in a server's log, whole lines only, and nothing else of it is taken up."""

from __future__ import annotations

from pathlib import Path

from include.audit.server_log import Lines, read_lines

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
    found = read_lines(log, 0)
    assert found.refused == {
        ("loader", "hot", "wrong password"): 1,
        ("analyst", "keys", "no right to the database"): 1,
        ("nobody", "hot", "no such role"): 1,
        ("reader", "lost", "no such database"): 1,
    }
    assert found.told == {}
    assert found.position == log.stat().st_size


def test_a_line_that_is_still_being_written_waits_for_the_next_look(tmp_path: Path):
    log, refusal = (
        tmp_path / "postgres.log",
        AT + b' loader@hot [unknown] FATAL:  password authentication failed for user "loader"',
    )
    log.write_bytes(lines(refusal) + refusal[:60])
    found = read_lines(log, 0)
    assert (found.refused.total(), found.position) == (1, len(refusal) + 1)
    log.write_bytes(lines(refusal, refusal))
    assert read_lines(log, found.position).refused.total() == 1
    assert read_lines(log, log.stat().st_size) == Lines(log.stat().st_size)


def test_equal_reads_are_one_with_first_and_last_and_no_name_of_a_program_hides_one(tmp_path: Path):
    log, read = tmp_path / "postgres.log", b'LOG:  plumbline read {"of": "raw.resource"}'
    log.write_bytes(
        lines(
            AT + b" officer@hot psql " + read,
            AT.replace(b"09:", b"17:") + b" officer@hot psql " + read,
            AT + b" officer@hot LOG:  plumbline read {} " + read,
            AT + b" officer@hot psql LOG:  something else",
            b"\t" + AT + b" loader@hot psql " + read,
            AT + b' loader@hot psql LOG:  plumbline session {"program": "psql"}',
        )
    )
    of_raw = '{"of": "raw.resource"}'
    assert read_lines(log, 0).told == {
        ("read", "officer", "hot", of_raw): (3, "2026-11-25T09:00:00.123Z", "2026-11-25T09:00:00.123Z"),
        ("session", "loader", "hot", '{"program": "psql"}'): (
            1,
            "2026-11-25T09:00:00.123Z",
            "2026-11-25T09:00:00.123Z",
        ),
    }
