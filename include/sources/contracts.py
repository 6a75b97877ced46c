"""Contracts of tables: which columns a source's files have, of which type and class, and how dbt gets to see them.

A contract lists what is allowed. A column it does not name is not loaded; a column without a class is refused.

    owner: data steward
    encoding: utf-8                  # or utf-8-sig, latin-1, cp1252, …
    delimiter: ","
    quotechar: '"'                   # empty: no quoting
    null_values: [""]
    booleans: {"true": ["Y"], "false": ["N"]}     # quoted: YAML reads bare true and false as its own
    identifier_system: http://hospital.example.org/mrn
    tables:
      encounters:
        files: "encounters*.csv"
        data_class: patient_data
        key: [encounter_id]          # absent: a row is its own key
        person: patient_id
        event_at: admitted_at
        deleted_when: {status: [deleted]}
        updated_at: changed_at       # which of two versions of a row is newer; absent: the one that came later
        columns:
          encounter_id: {type: text, class: source_id, of: Encounter}
          patient_id: {type: text, class: source_id, of: Patient}
          admitted_at: {type: timestamp, class: quasi_identifier, header: "Admission Date", format: "%m/%d/%Y %H:%M"}
          status: {type: text, class: clinical, required: true}
        not_loaded: {bed_notes: "no measure needs it"}    # columns known and left out, with the reason: no drift
        maps:
          - to: encounter
            fields: {encounter_id: encounter_id, patient_id: patient_id, started_at: admitted_at}
            constants: {status: finished}
            values: {class_code: {E: EMER, "*": null}}   # "*": every other value; without it, others pass
            where: {status: [completed]}

A table of kind database has ``from`` in place of ``files``:

        from: {table: clinic.encounters, watermark: changed_at}      # or query: "select ..."
        # watermark: rows changed since are read, absent: all are, and compared; overlap_minutes: 60, how far before
        # deletions: true, keys are compared; most_gone: 0.2, of more than that share none is taken for deleted
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from include.errors import PlumblineError

TYPES = {
    "text": "text",
    "integer": "bigint",
    "decimal": "numeric",
    "boolean": "boolean",
    "date": "date",
    "timestamp": "timestamptz",
}
# Columns that kind database adds to every table: when a version of a row was first seen, and which one of the row it is.
SEEN_AT, SEEN_VERSION = "seen_at", "seen_version"
CLASSES = ("clinical", "quasi_identifier", "direct_identifier", "free_text", "source_id", "reference_data")
SEALED_CLASSES = frozenset({"direct_identifier", "free_text"})
MATCHES = ("identifier", "family", "given", "birth_date", "sex", "postal_code", "street", "phone", "email")
MAX_TEXT = 1_000_000


class ContractError(PlumblineError):
    """A contract does not say what it must, or contradicts itself."""


@dataclass(frozen=True, slots=True)
class Column:
    """One declared column. ``header`` is its name in the file, ``name`` its name in ``raw``; ``max_length`` counts characters.

    ``is_sealed`` columns never stand in ``raw`` in clear; a ``source_id`` stands there as the token of a resource of
    type ``of``.
    """

    name: str
    type: str
    data_class: str
    header: str
    of: str | None = None
    match: str | None = None
    system: str | None = None
    format: str | None = None
    is_optional: bool = False
    is_required: bool = False
    max_length: int = MAX_TEXT

    @property
    def is_sealed(self) -> bool:
        """True for classes that are taken out of the row and encrypted."""
        return self.data_class in SEALED_CLASSES

    @property
    def postgres_type(self) -> str:
        """The column's type in ``raw``: tokens are uuids."""
        return "uuid" if self.data_class == "source_id" else TYPES[self.type]


@dataclass(frozen=True, slots=True)
class EntityMap:
    """How rows of a table become rows of ``mapped.<to>``.

    ``fields``: entity column -> table column. ``constants``: entity column -> literal. ``values``: entity column ->
    translation; unlisted values pass, or become what '*' says (None: null). ``where``: table column -> the values for
    which a row counts as this entity.
    """

    to: str
    fields: Mapping[str, str]
    constants: Mapping[str, str] = field(default_factory=dict)
    values: Mapping[str, Mapping[str, str | None]] = field(default_factory=dict)
    where: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a database holds a table's rows: a table (with its schema) or a query, and how to see what is new.

    ``watermark`` is a column's name at the source that grows with every change. ``most_gone`` is the share of known rows
    above which missing ones are not taken for deleted.
    """

    table: str | None = None
    query: str | None = None
    watermark: str | None = None
    overlap_minutes: float = 60
    deletions: bool = True
    most_gone: float = 0.2


@dataclass(frozen=True, slots=True)
class Table:
    """One declared table of a source. ``key``, ``person``, ``event_at`` and ``updated_at`` are column names.

    ``not_loaded``: headers of columns that are left out on purpose -> the reason; '*' for all others. ``checks`` are
    rules of the gate over the table's own columns, in the words of include/quality/suites; the gate reads them.
    """

    name: str
    files: tuple[str, ...]
    data_class: str
    columns: tuple[Column, ...]
    key: tuple[str, ...] = ()
    person: str | None = None
    event_at: str | None = None
    deleted_when: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    maps: tuple[EntityMap, ...] = ()
    checks: tuple[Mapping[str, object], ...] = ()
    not_loaded: Mapping[str, str] = field(default_factory=dict)
    updated_at: str | None = None
    origin: Origin | None = None

    @property
    def clear_columns(self) -> tuple[Column, ...]:
        """Columns that stand in ``raw``: all but the sealed ones."""
        return tuple(column for column in self.columns if not column.is_sealed)

    def position(self, name: str) -> int:
        """Where a column stands in ``Row.values``."""
        return [column.name for column in self.columns].index(name)


@dataclass(frozen=True, slots=True)
class Contract:
    """What a source's tables look like. ``null_values`` are cell texts that mean null; ``booleans`` maps lower-cased texts."""

    path: Path
    owner: str
    tables: tuple[Table, ...]
    encoding: str = "utf-8"
    delimiter: str = ","
    quotechar: str = '"'
    null_values: frozenset[str] = frozenset({""})
    booleans: Mapping[str, bool] = field(default_factory=dict)
    identifier_system: str | None = None

    def table(self, name: str) -> Table:
        """The table of that name. Raises ContractError where the contract has none."""
        for table in self.tables:
            if table.name == name:
                return table
        raise ContractError(
            found=f"{self.path.name} declares no table {name}",
            expected=f"one of {', '.join(table.name for table in self.tables)}",
            action=f"declare the table in {self.path.name}",
        )


def raw_table_name(source: str, table: str) -> str:
    """The name in schema ``raw`` of a source's table, without quotes: 'hospital_a__encounters'."""
    return f"{source}__{table}"


def load_contract(path: Path) -> Contract:
    """Read and check a contract. Raises ContractError with everything that is wrong at once."""
    from include.sources.contract_reading import read_contract

    return read_contract(Path(path))
