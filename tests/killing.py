"""Kills lifecycle work: its process, a Postgres backend that serves it, or the object store, at a chosen moment."""

from __future__ import annotations

import importlib
import os
import random
import select
import signal
import time
import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import psycopg

from include.local_stack import object_store, postgres
from include.local_stack.home import open_home
from include.local_stack.ports import keep_ports
from include.local_stack.processes import kill_group, read_pid, wait_until
from include.settings import Settings
from include.warehouse.connect import connect

WORKER_MAY_TAKE = 1_200
# Where a job writes something down or changes something outside: a kill just before and just after each.
BOUNDARIES = (
    "lifecycle.ledger.save_plan", "lifecycle.ledger.begin", "lifecycle.ledger.stage_file", "lifecycle.ledger.advance",
    "lifecycle.ledger.mark_outcome", "lifecycle.ledger.audit", "lifecycle.store.put_file", "lifecycle.store.get_file",
    "lifecycle.store.remove_all_versions", "lifecycle.store.look", "lifecycle.tier_out.finish", "lifecycle.tier_out.detach",
    "lifecycle.tier_out.abandon", "lifecycle.archive._catalogue", "lifecycle.archive.take_up", "lifecycle.destroy._catalogue",
    "lifecycle.destroy._certify", "lifecycle.data_keys.StoredDataKeys.destroy", "lifecycle.rehydrate._lend",
    "lifecycle.rehydrate._insert", "lifecycle.rehydrate._refuse_ended", "lifecycle.erase._begin", "lifecycle.erase._advance",
    "lifecycle.erase.write_entry", "lifecycle.erase.destroy_person_keys", "lifecycle.erase.remove_rows",
    "lifecycle.erase._write_receipt", "privacy.keyring._write_private", "privacy.keyring._write_manifest",
    "privacy.rotation._swap", "privacy.rotation._audit", "backups.vault.put_encrypted", "backups.vault.lock",
    "backups.vault.write_manifest", "backups.vault.remove", "backups.back_up._enter", "backups.back_up._prove", "backups.back_up.append",
)  # fmt: skip


@dataclass(frozen=True)
class Boundary:
    """A call to be killed at: which function, before or after it, at which of its calls."""

    path: str
    when: str
    call: int = 1

    def arm(self) -> None:
        """Have this process die there."""
        module, *names = self._parts()
        holder = importlib.import_module(f"include.{module}")
        for name in names[:-1]:
            holder = getattr(holder, name)
        real, calls = getattr(holder, names[-1]), []

        def mortal(*arguments, **named):
            calls.append(1)
            if len(calls) == self.call and self.when == "before":
                os.kill(os.getpid(), signal.SIGKILL)
            result = real(*arguments, **named)
            if len(calls) == self.call:
                os.kill(os.getpid(), signal.SIGKILL)
            return result

        setattr(holder, names[-1], mortal)

    def _parts(self) -> list[str]:
        package, module, *names = self.path.split(".")
        return [f"{package}.{module}", *names]


class Worker:
    """Jobs in a process of their own, which tells which one it is at and how it ended."""

    def __init__(self, jobs: Mapping[str, Callable[[], object]], boundary: Boundary | None = None) -> None:
        read, write = os.pipe()
        self.pid = os.fork()
        if self.pid == 0:
            os.close(read)
            os.setpgid(0, 0)
            _work(jobs, boundary, write)
        os.close(write)
        self._pipe, self._text, self.durations = read, "", {}

    def wait_for(self, job: str) -> bool:
        """Wait until it begins a job; False where it ended before."""
        return self._read(until=f"> {job}\n")

    def kill(self) -> None:
        """SIGKILL to it and to what it started."""
        os.killpg(self.pid, signal.SIGKILL)

    def end(self) -> str:
        """Wait for its end: 'done', 'killed', or the class of the error that stopped it."""
        ended = self._read(until=None)
        if not ended:
            self.kill()
        _, status = os.waitpid(self.pid, 0)
        os.close(self._pipe)
        assert ended, f"the work did not end within {WORKER_MAY_TAKE} s; it was at {self._text.splitlines()[-1:]}"
        self._note_durations()
        if os.waitstatus_to_exitcode(status) == -signal.SIGKILL:
            return "killed"
        return next((line[2:] for line in self._text.splitlines() if line.startswith("! ")), "done")

    def _read(self, until: str | None) -> bool:
        deadline = time.monotonic() + WORKER_MAY_TAKE
        while until is None or until not in self._text:
            if not select.select([self._pipe], [], [], max(deadline - time.monotonic(), 0))[0]:
                return False
            block = os.read(self._pipe, 4096)
            if not block:
                return until is None
            self._text += block.decode()
        return True

    def _note_durations(self) -> None:
        for line in self._text.splitlines():
            if line.startswith("< "):
                _, job, seconds = line.split()
                self.durations[job] = float(seconds)


def _work(jobs: Mapping[str, Callable[[], object]], boundary: Boundary | None, write: int) -> None:
    """Never returns."""
    try:
        if boundary:
            boundary.arm()
        for name, job in jobs.items():
            os.write(write, f"> {name}\n".encode())
            began = time.monotonic()
            job()
            os.write(write, f"< {name} {time.monotonic() - began:.3f}\n".encode())
    except BaseException as problem:
        os.write(write, f"! {_told(problem)}\n".encode())
    finally:
        os._exit(0)


def _told(problem: BaseException) -> str:
    """Class and text of an error on one line, and the way it came: rows here are made up."""
    way = [f"{Path(at.filename).name}:{at.lineno}" for at in traceback.extract_tb(problem.__traceback__)]
    return " ".join(f"{type(problem).__name__} {problem} via {' '.join(way[-8:])}".split())[:900]


class Killer:
    """Kills work at random moments and at boundaries; counts what it did."""

    def __init__(self, settings: Settings, chance: random.Random) -> None:
        self.settings, self.chance = settings, chance
        self.home = open_home(settings.home)
        self.ports = keep_ports(self.home)
        self.kills: dict[str, int] = {}
        self.ends: dict[str, int] = {}
        self.usual: dict[str, float] = {}

    def at(self, jobs, boundary: Boundary) -> str | None:
        """Kill the work at a boundary. None where it never got there."""
        return self._counted("boundary") if self._finish(Worker(jobs, boundary)) == "killed" else None

    def at_random(self, jobs, what: str) -> str | None:
        """Kill the 'worker', a 'backend' or the 'store' while a random job is under way. None where it was done before."""
        worker, job = Worker(jobs), self.chance.choice(list(jobs))
        if not worker.wait_for(job):
            worker.end()
            return None
        time.sleep(self.chance.uniform(0, self.usual.get(job, 0.5)))
        hit = {"worker": self._kill_worker, "backend": self._kill_backend, "store": self._kill_store}[what](worker)
        ended = self._finish(worker)
        self._wait_for_servers()
        return self._counted(f"{what} in {job}") if hit and (what != "worker" or ended == "killed") else None

    def undisturbed(self, jobs) -> None:
        """Let the work come to its end."""
        ended = self._finish(Worker(jobs))
        assert ended == "done", f"the work after a kill ended with {ended}"

    def _finish(self, worker: Worker) -> str:
        ended = worker.end()
        self.ends[ended.split()[0]] = self.ends.get(ended.split()[0], 0) + 1
        self.usual |= {job: max(seconds, 0.9 * self.usual.get(job, 0)) for job, seconds in worker.durations.items()}
        return ended

    def _counted(self, what: str) -> str:
        self.kills[what] = self.kills.get(what, 0) + 1
        return what

    def _kill_worker(self, worker: Worker) -> bool:
        worker.kill()
        return True

    def _kill_backend(self, worker: Worker) -> bool:
        """SIGKILL to one of the backends that serve the work: Postgres restarts all of them and recovers."""
        with connect("postgres", "postgres", self.settings) as server:
            rows = server.execute(
                """select pid from pg_stat_activity where backend_type = 'client backend' and pid <> pg_backend_pid()
                   and usename <> 'postgres'"""
            ).fetchall()
        if not rows:
            return False
        try:
            os.kill(self.chance.choice(rows)[0], signal.SIGKILL)
        except ProcessLookupError:
            return False
        return True

    def _kill_store(self, worker: Worker) -> bool:
        """SIGKILL to the object store, which is started again a moment later."""
        pid = read_pid(self.home.path / "s3.pid")
        kill_group(pid)
        time.sleep(self.chance.uniform(0, 1.5))
        object_store.start_object_store(self.home, self.ports)
        return True

    def _wait_for_servers(self) -> None:
        assert wait_until(self._answers, seconds=120), "Postgres did not recover"

    def _answers(self) -> bool:
        try:
            return postgres.answers(self.home, self.ports) and object_store.is_up(self.home, self.ports)
        except psycopg.Error:
            return False
