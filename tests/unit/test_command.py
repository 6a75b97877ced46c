"""How a command ends for the person who gave it."""

from __future__ import annotations

import argparse
import subprocess
import sys
from datetime import date
from pathlib import Path

import psycopg
import pytest

from include.command import CANNOT, INTERRUPTED, day, run_command
from include.errors import PlumblineError


def raising(problem: BaseException):
    def work() -> int:
        raise problem

    return work


def test_work_that_is_done_tells_its_own_code():
    assert [run_command("plan", lambda code=code: code) for code in (None, 0, 1, 3)] == [0, 0, 1, 3]


def test_a_problem_is_three_lines_and_not_a_verdict(capsys):
    problem = PlumblineError(found="no night", expected="one", action="run 'make nightly'")
    assert run_command("plan", raising(problem)) == CANNOT
    assert capsys.readouterr().err == "plan: no night.\n  expected: one\n  now: run 'make nightly'\n"


def test_a_stack_that_is_down_is_said_with_what_starts_it(capsys):
    assert run_command("plan", lambda: psycopg.connect("host=127.0.0.1 port=1 connect_timeout=3")) == CANNOT
    told = capsys.readouterr().err
    assert "does not answer" in told
    assert "make stack" in told
    assert "Traceback" not in told


def test_a_folder_that_cannot_be_used_is_named(capsys, tmp_path: Path):
    (tmp_path / "file").touch()
    assert run_command("convert", lambda: (tmp_path / "file" / "inside").read_text()) == CANNOT
    assert f"{tmp_path}/file/inside cannot be used (Not a directory)" in capsys.readouterr().err


def test_a_defect_names_its_place_and_never_quotes(capsys, monkeypatch):
    monkeypatch.delenv("PLUMBLINE_DEBUG", raising=False)
    assert run_command("convert", raising(ValueError("Jane Doe is no number"))) == CANNOT
    told = capsys.readouterr().err
    assert "builtins.ValueError at tests/unit/test_command.py:" in told
    assert "Jane" not in told
    assert "Traceback" not in told


def test_a_defect_is_shown_whole_to_who_asks_for_it(capsys, monkeypatch):
    monkeypatch.setenv("PLUMBLINE_DEBUG", "1")
    run_command("convert", raising(ValueError("what it says")))
    assert "ValueError: what it says" in capsys.readouterr().err


def test_ctrl_c_is_no_error(capsys):
    assert run_command("plan", raising(KeyboardInterrupt())) == INTERRUPTED
    assert capsys.readouterr().err == "\ninterrupted\n"


def test_a_reader_that_has_seen_enough_is_no_error():
    """``make checks | head``."""
    program = "import sys; from include.command import run_command\nsys.exit(run_command('x', lambda: print('a line\\n' * 99999)))"
    shell = f'{sys.executable} -c "$0" | head -1; echo done'
    ended = subprocess.run(
        ["sh", "-c", shell, program], capture_output=True, text=True, cwd=Path(__file__).parents[2], check=True
    )
    assert (ended.stdout, ended.stderr) == ("a line\ndone\n", "")


@pytest.mark.parametrize("text", ["2026-13-01", "26-11-01", "tomorrow", "", "20261124", "2026-11-24T00:00"])
def test_a_day_in_another_form_is_refused_in_words(text):
    with pytest.raises(argparse.ArgumentTypeError, match="is not a day written YYYY-MM-DD"):
        day(text)


def test_a_day_is_a_day():
    assert day("2026-11-24") == date(2026, 11, 24)
