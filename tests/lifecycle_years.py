"""Years of lifecycle work in small: each year has a month to tier out, one to archive, one to end, a loan, an erasure, new keys, a backup.

``Life`` says what each job does and where every record must be afterwards. Every job may be done again: a killed one is.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date, timedelta
from uuid import UUID

from include.audit.anchor import verify_trail
from include.backups import vault
from include.backups.back_up import DATABASES, back_up
from include.lifecycle import store
from include.lifecycle.approvals import approve_destruction, due_for_approval
from include.lifecycle.erase import erase_person
from include.lifecycle.erase_rows import remaining_rows
from include.lifecycle.ledger import OPEN_STATES
from include.lifecycle.move import apply_plan
from include.lifecycle.plan import plan_night
from include.lifecycle.policy import load_retention
from include.lifecycle.reconcile import LOSSES, check_places, deep_check
from include.lifecycle.rehydrate import rehydrate
from include.lifecycle.retrieve import retrieve_with
from include.lifecycle.work import open_work
from include.privacy.rotation import check_keys, rewrap, rotate, versions
from include.settings import Settings
from include.warehouse.connect import connect
from tests.months import Stored, person, store_month

LABS = load_retention().rule("lab_results")
TWO = {"requested_by": "A. Manager", "approved_by": "B. Officer"}
ASKED = {"purpose": "test", "actor": "test"}
LENT_AFTER, ERASED_AFTER, ROTATED_EVERY, LATE = 4, (1, 3), 5, 4


@dataclass
class Life:
    """A database and its stores, year after year. ``first_year`` before 2013: no lock outlives its records by the store's clock."""

    settings: Settings
    first_year: int
    year: int = 0
    stored: dict[UUID, tuple[Stored, int, int]] = field(
        default_factory=dict
    )  # with the years of arrival and of the event
    erased: set[UUID] = field(default_factory=set)  # tokens

    def begin_year(self, number: int) -> None:
        """A new year's records arrive: of four people who come again, and, years late, of two who are here for two years only."""
        self.year = self.first_year + number
        month = date(self.year, 1, 15)
        for label, records, people, first, late in (("all", 6, 4, 0, 0), ("few", 4, 2, 1_000 + number, LATE)):
            for record in store_month(
                self.settings, month, records=records, people=people, first_person=first, event_years=(self.year - late,),
                label=f"{label} {number}",
            ):  # fmt: skip
                self.stored[record.record_id] = record, self.year, self.year - late

    def pass_year(self, number: int) -> None:
        """A year of which only the moves matter to those that follow."""
        self.begin_year(number)
        for job in (self._tier, self._approve, self._tier):
            job()

    @property
    def night(self) -> date:
        """The night of this year's work: the month of two years ago has just become due."""
        return LABS.leaves_hot_on(date(self.year - 2, 1, 1))

    def jobs(self) -> dict[str, Callable[[], object]]:
        """This year's work, by name, in order. Each may be killed and done again."""
        jobs = {
            "tier": self._tier,
            "approve": self._approve,
            "end": self._tier,
            "lend": self._lend,
            "erase": self._erase,
        }
        if self.year % ROTATED_EVERY == 0:
            jobs["keys"] = self._change_keys
        return jobs | {"backup": self._back_up}

    def check_now(self) -> None:
        """What holds at every moment, also just after a kill: no record is nowhere or twice, and the trail is whole."""
        assert [found for found in check_places(self.settings) if found.kind in LOSSES] == []
        verdict = verify_trail(self.settings)
        assert verdict.holds, verdict.first_break

    def check_done(self) -> None:
        """What holds when the year's work is done: every record where its rule says, nothing open, nothing left over."""
        self.check_now()
        # What a store finishes late of an upload that was cut off is removed by the next apply.
        assert {found.kind for found in check_places(self.settings)} <= {"late_copy"}
        tiers, wrong = self._tiers(), Counter()
        assert tiers.keys() == self.stored.keys()
        for record_id, (record, arrived, event) in self.stored.items():
            expected = self._expected(record, arrived, event)
            if tiers[record_id] not in expected:
                wrong[arrived, event, tiers[record_id], expected] += 1
        assert not wrong
        with connect("lifecycle", settings=self.settings) as hot:
            query = "select action, state, count(*) from lifecycle.move where state = any(%s) group by 1, 2"
            assert hot.execute(query, [list(OPEN_STATES)]).fetchall() == []
            assert hot.execute("select count(*) from lifecycle.erasure where state <> 'done'").fetchone() == (0,)
        self._check_keys()
        self._check_backups()

    def check_contents(self) -> None:
        """Every record that is still promised opens as it was received, from whichever tier, and every file is what was written."""
        assert deep_check(self.settings) == []
        alive = [record_id for record_id, tier in self._tiers().items() if tier in ("hot", "cold", "archive")]
        with open_work(self.night, self.settings) as work:
            found = {each.place.record_id: each.content for each in retrieve_with(work, alive, **ASKED)}
        assert found == {record_id: self.stored[record_id][0].content for record_id in alive}
        assert remaining_rows(self.settings, list(self.erased), []) == {}

    def _expected(self, record: Stored, arrived: int, event: int) -> tuple[str, ...]:
        month, is_cold = date(arrived, 1, 1), self.night >= LABS.leaves_hot_on(date(arrived, 1, 1))
        over = is_cold and self.night > LABS.ends_after(event)
        if record.person_token in self.erased:
            # What had ended before stays destroyed; what ends afterwards stays erased.
            return ("erased", "destroyed") if over else ("erased",)
        if over:
            return ("destroyed",)
        if not is_cold:
            return ("hot",)
        return ("cold",) if self.night < LABS.leaves_cold_on(month) else ("archive",)

    def _tiers(self) -> dict[UUID, str]:
        with connect("lifecycle", settings=self.settings) as hot:
            return dict(hot.execute("select record_id, tier from lifecycle.record").fetchall())

    def _tier(self) -> None:
        plan_night(self.night)
        apply_plan(self.night)

    def _approve(self) -> None:
        plan_night(self.night)
        keys = due_for_approval(self.night, self.settings).object_keys
        if keys:
            approve_destruction(self.night, object_keys=keys, reason="over", settings=self.settings, **TWO)

    def _lend(self) -> None:
        """The month of four years ago comes back for a hundred days; the next year's plan takes it away again."""
        if self.year - LENT_AFTER < self.first_year:
            return
        month = date(self.year - LENT_AFTER, 1, 1)
        with open_work(self.night, self.settings) as work:
            rehydrate(work, raw_table="resource", received_month=month, until=self.night + timedelta(days=100), **ASKED)

    def _erase(self) -> None:
        """Of people who were here for two years: one whose rows are in hot, in even years; in cold and on loan, in odd ones."""
        number = self.year - self.first_year - ERASED_AFTER[self.year % 2]
        if number < 1:
            return
        who = person(1_000 + number)
        with open_work(self.night, self.settings) as work:
            done = """select from lifecycle.erasure_person join lifecycle.erasure using (erasure_id)
                      where person_token = %s and state = 'done'"""
            if work.hot.execute(done, [who]).fetchone() is None:
                erase_person(work, who, reason="request", **TWO)

    def forget(self) -> None:
        """Note who was erased this year: the jobs run in a process of their own."""
        with connect("lifecycle", settings=self.settings) as hot:
            self.erased = {
                row[0] for row in hot.execute("select person_token from lifecycle.erasure_person").fetchall()
            }

    def _change_keys(self) -> None:
        rotate(self.settings, by="A. Officer")
        rewrap(self.settings, by="A. Officer")

    def _back_up(self) -> None:
        back_up(self.night, self.settings, everything=True)

    def _check_keys(self) -> None:
        counts = check_keys(self.settings)
        assert (counts["damaged"], counts["without_version"]) == (0, 0)
        if self.year % ROTATED_EVERY == 0:
            assert [
                version.data_keys for version in versions(self.settings) if not version.is_current and version.data_keys
            ] == []
        with connect("lifecycle", settings=self.settings) as hot:
            files = hot.execute("select tier in ('cold', 'archive'), key_id from lifecycle.cold_file").fetchall()
            ended = hot.execute("select object_key from lifecycle.cold_file where tier = 'destroyed'").fetchall()
            certified = hot.execute("select content ->> 'object' from lifecycle.certificate").fetchall()
        assert sorted(ended) == sorted(certified)
        with connect("sealer", "keys", self.settings) as books:
            query = "select key_id from keys.data_key where wrapped is not null and key_id = any(%s)"
            alive = {row[0] for row in books.execute(query, [[key_id for _, key_id in files]]).fetchall()}
            gone = books.execute(query, [[f"person:{token}" for token in self.erased]]).fetchall()
        assert alive == {key_id for is_kept, key_id in files if is_kept}
        assert gone == []

    def _check_backups(self) -> None:
        s3 = store.open_store(self.settings)
        for kind in (*DATABASES, "keys"):
            # What the store finishes late of an upload that was cut off is removed by the next backup, as here.
            vault.remove_unfinished(self.settings, kind)
            keys = store.list_keys(s3, vault.bucket_of(self.settings, kind))
            saved = {key for key in keys if key.startswith(f"{kind}/{self.night}/")}
            assert {key for key in saved if key.endswith(".age")} == {
                key.removesuffix(".json") for key in saved if key.endswith(".json")
            }
            assert saved, f"no backup of {kind} in {self.year}"
        with connect("lifecycle", settings=self.settings) as hot:
            query = "select distinct kind from lifecycle.backup where night = %s and verified_at is not null"
            assert {row[0] for row in hot.execute(query, [self.night]).fetchall()} == {*DATABASES, "keys"}
