"""The gate's own rules over a folder that is only looked at: counted by the gate's SQL, on tables that end with the session."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date

import psycopg
from psycopg import sql

from include.quality import check_table, counting
from include.quality.batches import Batch
from include.quality.catalogue.check_types import Instance, read_check_types
from include.quality.catalogue.flat import Rows
from include.quality.catalogue.gate_rules import check_of
from include.quality.catalogue.results import GATE, Result, judge
from include.quality.judge import Count
from include.quality.persons import fill_persons
from include.quality.plan import plan_documents, plan_table
from include.quality.rules import Rule
from include.quality.suites import read_suites
from include.sources.registry import Source


@dataclass(frozen=True, slots=True)
class ScratchBatch(Batch):
    """Rows in a temporary table, in the place of a batch in intake."""

    @property
    def workshop(self) -> str:
        """Temporary tables: they end with the session."""
        return "pg_temp"

    @property
    def intake(self) -> sql.Identifier:
        """The temporary table of the rows."""
        return sql.Identifier("pg_temp", self.intake_table)


def count(books: psycopg.Connection, source: Source, night: date, received: tuple[Rows, ...]) -> Iterator[Result]:
    """A result for every rule of every suite that applies to what came."""
    sums: dict[tuple[str, str], tuple[Rule, str | None, int, int]] = {}
    suites = read_suites()
    for number, rows in enumerate(received):
        name = f"received_{number}"
        dataset = rows.table.name if rows.table else "resource"
        batch = ScratchBatch(
            f"check__{name}",
            source.name,
            dataset,
            "table" if rows.table else "documents",
            night,
            "loaded",
            name,
            0,
            0,
            0,
            0,
        )
        fill_persons(
            books,
            batch,
            [(each.table.name if each.table else "resource", each.relation) for each in received],
            source.contract,
        )
        plan = (
            plan_documents(books, batch, suites)
            if rows.table is None
            else plan_table(batch, rows.table, suites, timezone=rows.timezone)
        )
        if not plan.parts:
            continue
        check_table.build(books, batch, plan.parts)
        of_part = {part.label: part for part in plan.parts}
        for each in counting.count_by_class(books, batch, plan.parts):
            part = of_part[each.label]
            rule = next(rule for rule in part.rules if rule.name == each.rule)
            label = dataset if part.suite.name == "contract_checks" else part.suite.resource_type
            known = sums.get((label, rule.name), (rule, each.data_class, 0, 0))
            sums[label, rule.name] = (rule, each.data_class, known[2] + each.tested, known[3] + each.failed)
        books.execute(sql.SQL("drop table {}, {}").format(check_table.place_of(batch), check_table.persons_of(batch)))
    for (label, _), (rule, data_class, tested, failed) in sorted(sums.items()):
        yield result_of(label, rule, Count(tested, failed), data_class)


def result_of(label: str, rule: Rule, found: Count, data_class: str | None) -> Result:
    """A rule's counts as a result of the catalogue. Critical rules allow no failure, warnings what their kind allows."""
    kind = read_check_types()[check_of(rule)]
    threshold = 0.0 if rule.severity == "critical" else kind.threshold
    status = judge(found.tested, found.failed, threshold, found.error_code)
    return Result(
        kind, f"{label}.{kind.name}.{rule.name}", label, found.tested, found.failed, threshold, status, found.error_code,
        data_class, GATE,
    )  # fmt: skip


def instances_of_gate() -> Mapping[str, Instance]:
    """The gate's rules as instances, by name, for lists of everything that is checked."""
    types = read_check_types()
    found = {}
    for suite in read_suites().all:
        for rule in suite.rules:
            kind = types[check_of(rule)]
            name = f"{suite.resource_type}.{kind.name}.{rule.name}"
            found[name] = Instance(
                name, kind, suite.name, rule.columns[0], 0.0 if rule.severity == "critical" else kind.threshold
            )
    return found
