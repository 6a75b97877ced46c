"""A night killed anywhere is finished by the next one, with the rows of a night that nobody disturbed."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from datetime import date
from pathlib import Path

import pytest

NIGHT = date(2026, 11, 22)
PEOPLE = 200
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from night_rows import differences, read_rows  # noqa: E402


@pytest.fixture(scope="module")
def sample(tmp_path_factory) -> Path:
    from include.sample.make import Request, make_sample

    return make_sample(Request(tmp_path_factory.mktemp("sample"), 7, PEOPLE, NIGHT, 0))


class Night:
    """A night in a process of its own, that tells where it is and can be killed there."""

    def __init__(self, project: Path, sources: Path) -> None:
        environment = {**os.environ, "PLUMBLINE_SOURCES": str(sources), "PYTHONPATH": str(project)}
        command = [sys.executable, str(project / "bench" / "one_night.py"), NIGHT.isoformat()]
        self._process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment, start_new_session=True
        )
        self.steps: list[str] = []

    def run_to(self, step: str | None, *, delay: float = 0.0) -> bool:
        """Kill the night when it reaches ``step`` (and ``delay`` seconds later); run to its end for None."""
        for line in self._process.stdout:
            if line.startswith("> "):
                self.steps.append(line[2:].strip())
            if step and self.steps and self.steps[-1] == step:
                time.sleep(delay)
                os.killpg(self._process.pid, signal.SIGKILL)
                self._process.wait()
                return False
        code = self._process.wait()
        assert code == 0, f"the night ended with {code} at {self.steps[-1:]}: {self._process.stderr.read()[-2000:]}"
        return True


@pytest.fixture
def undisturbed(project, sample, renew_hot):
    """The rows and the steps of a night that ran in peace, and databases clean again."""
    settings = renew_hot()
    night = Night(project, sample)
    night.run_to(None)
    rows = read_rows(settings)
    assert sum(rows["raw.resource"].values()) > 1000, "the night left hardly any rows to compare"
    return rows, night.steps, renew_hot()


def test_a_night_killed_at_every_step_in_turn_ends_with_the_same_rows(project, sample, undisturbed):
    rows, steps, settings = undisturbed
    for step in steps[1:-1]:
        Night(project, sample).run_to(step)
    Night(project, sample).run_to(None)
    assert differences(rows, read_rows(settings)) == {}


def test_a_night_killed_at_random_moments_inside_its_steps_ends_with_the_same_rows(project, sample, undisturbed):
    rows, steps, settings = undisturbed
    _kill_at_random(project, sample, steps, moments=8, seed=20261122)
    assert differences(rows, read_rows(settings)) == {}


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(20))
def test_kill_nights_at_many_random_moments(project, sample, undisturbed, seed):
    rows, steps, settings = undisturbed
    _kill_at_random(project, sample, steps, moments=25, seed=seed)
    assert differences(rows, read_rows(settings)) == {}


_LONG = {"land", "load", "assess", "check", "promote", "notes", "build", "publish"}


def _kill_at_random(project: Path, sample: Path, steps: list[str], *, moments: int, seed: int) -> None:
    chance = random.Random(seed)
    long_steps = [step for step in steps if step.split()[0] in _LONG]
    for _ in range(moments):
        Night(project, sample).run_to(chance.choice(long_steps), delay=chance.uniform(0.0, 1.5))
    Night(project, sample).run_to(None)
