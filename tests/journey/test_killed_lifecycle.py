"""Lifecycle work killed with SIGKILL at every boundary and at random moments: its process, a Postgres backend, the object store.

After every kill each record is in exactly one place, or stated to be in two during a move, never in none, and the audit trail is
whole; done again, the work ends with every record where its rule says and as it was received.

    make kill-test-lifecycle N=1000
"""

from __future__ import annotations

import os
import random
import shutil
import time
from collections import Counter
from dataclasses import replace
from itertools import product

import pytest

from tests.killing import BOUNDARIES, Boundary, Killer
from tests.lifecycle_years import Life

WANTED, SEED = int(os.environ.get("PLUMBLINE_KILLS") or 200), int(os.environ.get("PLUMBLINE_KILL_SEED") or 1)
YEARS_BEFORE, YEARS_A_LIFE = 8, 45
HOW = ("worker", "worker", "worker", "backend", "store")


@pytest.fixture
def renew(renew_hot, tmp_path, monkeypatch):
    """Call it for clean databases, buckets and a keyring of their own, so that rotating it disturbs nobody."""

    def renewed(number: int):
        settings = renew_hot()
        folder = tmp_path / f"keyring-{number}"
        shutil.copytree(settings.keyring_dir, folder)
        monkeypatch.setenv("PLUMBLINE_KEYRING_DIR", str(folder))
        return replace(settings, keyring_dir=folder)

    yield renewed
    monkeypatch.delenv("PLUMBLINE_KEYRING_DIR", raising=False)


def live(life: Life, killer: Killer, number: int, kills: list) -> None:
    """A year whose work is killed by each of ``kills`` in turn, and then let be."""
    life.begin_year(number)
    for kill in kills:
        kill(killer, life.jobs())
        life.check_now()
    killer.undisturbed(life.jobs())
    life.forget()
    life.check_done()


def kill_at(boundary: Boundary):
    return lambda killer, jobs: killer.at(jobs, boundary)


def kill_any(what: str):
    return lambda killer, jobs: killer.at_random(jobs, what)


def test_killed_in_its_process_its_database_and_its_store_the_work_goes_on_and_ends_whole(renew):
    settings = renew(0)
    life, killer = Life(settings, 1990), Killer(settings, random.Random(6))
    for number in range(4):
        live(life, killer, number, [])
    boundary = Boundary("lifecycle.ledger.advance", "after", 2)
    live(life, killer, 4, [kill_at(boundary), kill_any("worker"), kill_any("backend"), kill_any("store")])
    life.check_contents()
    assert sum(killer.kills.values()) >= 3, killer.kills


@pytest.mark.slow
def test_kill_lifecycle_at_every_boundary_and_at_many_random_moments(renew):
    chance, kills, lives = random.Random(SEED), Counter(), 0
    boundaries = [Boundary(path, when) for path, when in product(BOUNDARIES, ("before", "after"))]
    chance.shuffle(boundaries)
    began = time.monotonic()
    while kills.total() < WANTED:
        # Every other life lies in years whose locks the store's clock still keeps.
        settings = renew(lives)
        life, killer = Life(settings, (1960, 2012)[lives % 2]), Killer(settings, chance)
        for number in range(YEARS_BEFORE):
            life.pass_year(number)
        for number in range(YEARS_BEFORE, YEARS_A_LIFE):
            planned = [kill_at(boundaries.pop())] if boundaries and number % 2 else []
            planned += [kill_any(chance.choice(HOW)) for _ in range(chance.choice((1, 2, 3)))]
            live(life, killer, number, planned)
            if number % 10 == 0:
                life.check_contents()
            done = kills.total() + sum(killer.kills.values())
            print(
                f"{done} of {WANTED} kills, {time.monotonic() - began:.0f} s, life {lives}, year {number}", flush=True
            )
            if done >= WANTED:
                break
        life.check_contents()
        kills.update(killer.kills)
        lives += 1
    print(f"{kills.total()} kills: " + ", ".join(f"{what} {times}" for what, times in sorted(kills.items())))
    assert len(kills) > 5
