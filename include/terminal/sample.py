"""The sample health system as a night's sources: made on the first night, on later ones only what is new since."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from datetime import date
from pathlib import Path

from include.errors import PlumblineError
from include.local_stack.home import Home, write_private

DEFAULTS = {"PEOPLE": "2000", "SEED": "20261"}


class SampleError(PlumblineError):
    """The sample health system could not be made."""


def default_size() -> tuple[int, int]:
    """People and seed of the sample unless told otherwise."""
    return int(DEFAULTS["PEOPLE"]), int(DEFAULTS["SEED"])


def sources_again(night: date, home: Home, last: str | None, say: Callable[[str], None]) -> Path:
    """The sources of the home's last night, so that nobody's data meets a sample, nor one sample another.

    Of a sample, what it delivers on ``night``; where there was no night yet, the sample of the default size.
    """
    folder = Path(last).parent if last else None
    known = re.fullmatch(r"(\d+)-people-seed-(\d+)", folder.name) if folder else None
    if known and folder.parent == home.path / "sample":
        return sources_for(night, home, int(known[1]), int(known[2]), say)
    return Path(last) if last else sources_for(night, home, *default_size(), say)


def sources_for(night: date, home: Home, people: int, seed: int, say: Callable[[str], None]) -> Path:
    """The sample's sources.yml as it delivers on ``night``. A delivery that is there is not made again."""
    folder = home.path / "sample" / f"{people}-people-seed-{seed}"
    record = folder.with_suffix(".json")
    made = json.loads(record.read_text()) if record.is_file() else None
    first = date.fromisoformat(made["first_night"]) if made else night
    day = max((night - first).days, 0)
    if made is None or made["day"] != day:
        what = f"a sample health system of {people:,} people" if day == 0 else f"the sample's delivery of day {day}"
        say(f"  making {what} (SOURCES= names your own)")
        _make(folder, home.logs / "sample.log", people=people, seed=seed, first=first, day=day)
        write_private(record, json.dumps({"first_night": first.isoformat(), "day": day}) + "\n")
    return folder / "sources.yml"


def _make(folder: Path, log: Path, *, people: int, seed: int, first: date, day: int) -> None:
    command = [sys.executable, "-m", "include.sample", "make", "--out", str(folder), "--people", str(people)]
    when = ["--seed", str(seed), "--night", first.isoformat(), "--day", str(day)]
    with log.open("ab") as out:
        made = subprocess.run([*command, *when], stdout=out, stderr=out, env=dict(os.environ))
    if made.returncode != 0 or not (folder / "sources.yml").is_file():
        raise SampleError(
            found="the sample health system could not be made",
            expected="its generator to succeed",
            action=f"read the end of {log}",
        )
