"""Refused logins, told reads and sessions are found in a server's log, whole lines only, and nothing else of it is taken up."""

from __future__ import annotations

from include.audit.server_log import Lines, read_lines, whole_lines

AT = b"2026-11-25 09:00:00.123 UTC [123]"


def lines(*texts: bytes) -> bytes:
    return b"".join(text + b"\n" for text in texts)


def test_each_kind_of_refusal_is_told_by_role_database_and_reason():
    log = lines(
        AT + b' loader@hot [unknown] FATAL:  password authentication failed for user "loader"',
        AT + b' analyst@keys plumbline analyst FATAL:  permission denied for database "keys"',
        AT + b' nobody@hot [unknown] FATAL:  role "nobody" does not exist',
        AT + b' reader@lost [unknown] FATAL:  database "lost" does not exist',
        AT + b" @  LOG:  database system is ready to accept connections",
        AT + b" loader@hot plumbline loader FATAL:  terminating connection due to administrator command",
    )
    found = read_lines([log])
    assert found.refused == {
        ("loader", "hot", "wrong password"): 1,
        ("analyst", "keys", "no right to the database"): 1,
        ("nobody", "hot", "no such role"): 1,
        ("reader", "lost", "no such database"): 1,
    }
    assert found.told == {}
    assert found.bytes == len(log)


def test_a_line_that_is_still_being_written_waits_for_the_next_look_and_one_cut_by_a_block_is_whole():
    refusal = AT + b' loader@hot [unknown] FATAL:  password authentication failed for user "loader"'
    log = lines(refusal, refusal)
    found = read_lines(whole_lines([log[:-1]]))
    assert (found.refused.total(), found.bytes) == (1, len(refusal) + 1)
    assert read_lines(whole_lines([log[found.bytes :]])).refused.total() == 1
    in_blocks = read_lines(whole_lines(log[at : at + 7] for at in range(0, len(log), 7)))
    assert (in_blocks.refused.total(), in_blocks.bytes) == (2, len(log))
    assert read_lines(whole_lines([])) == Lines()


def test_equal_reads_are_one_with_first_and_last_and_no_name_of_a_program_hides_one():
    read = b'LOG:  plumbline read {"of": "raw.resource"}'
    log = lines(
        AT + b" officer@hot psql " + read,
        AT.replace(b"09:", b"17:") + b" officer@hot psql " + read,
        AT + b" officer@hot LOG:  plumbline read {} " + read,
        AT + b" officer@hot psql LOG:  something else",
        b"\t" + AT + b" loader@hot psql " + read,
        AT + b' loader@hot psql LOG:  plumbline session {"program": "psql"}',
    )
    of_raw = '{"of": "raw.resource"}'
    assert read_lines([log]).told == {
        ("read", "officer", "hot", of_raw): (3, "2026-11-25T09:00:00.123Z", "2026-11-25T09:00:00.123Z"),
        ("session", "loader", "hot", '{"program": "psql"}'): (
            1,
            "2026-11-25T09:00:00.123Z",
            "2026-11-25T09:00:00.123Z",
        ),
    }
