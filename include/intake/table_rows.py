"""Rows of declared tables for COPY: sealed columns taken out, ids replaced by tokens, the rest as it is."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import repeat

import orjson

from include.identity.policy import load_policy
from include.intake.reading import Opener, place_word, read_items
from include.intake.refusals import Refusals, refuse_erased
from include.intake.repeats import Repeats
from include.landing.catalogue import LandedObject
from include.privacy.data_keys import Encrypt, PersonKeys
from include.privacy.keys import NONCE_BYTES
from include.privacy.sealing import FORMAT
from include.privacy.tokens import RECORD_ID_BYTES, Tokeniser, as_uuid, distinct
from include.privacy.trait_tokens import Traits, trait_tokens
from include.sources.contracts import Column, Table
from include.sources.items import Notice, Reject, Row
from include.sources.registry import Source

COPY_FORMAT = "text"
_NULL = "\\N"
_ESCAPES = str.maketrans({"\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r", "\b": "\\b", "\f": "\\f", "\v": "\\v"})
_ROWS_AT_ONCE = 2_000


class TableRows:
    """Makes the rows of one batch of a declared table, object by object."""

    def __init__(
        self,
        source: Source,
        table: Table,
        opener: Opener,
        tokeniser: Tokeniser,
        persons: PersonKeys,
        batch_encrypt: Encrypt,
    ) -> None:
        self._source, self._table, self._opener = source, table, opener
        self._persons, self._batch_encrypt, self._tokeniser = persons, batch_encrypt, tokeniser
        self._digest = tokeniser.record_digester(source.name, table.name)
        kinds = {column.of for column in table.columns if column.of} | {"Patient", self._key_kind()}
        self._ids = {kind: _Ids(tokeniser, source.name, kind) for kind in kinds}
        self._strong = load_policy().strong_identifiers
        self.notices: list[Notice] = []
        self.repeats = Repeats()

    def close(self) -> None:
        """Nothing is read ahead."""

    def rows_of(
        self,
        landed: LandedObject,
        object_no: int,
        refusals: Refusals,
        counted: Counter,
        next_up: LandedObject | None = None,
    ) -> Iterator[bytes]:
        """COPY data of an object's rows; refused ones go to ``refusals``. Raises BrokenContainerError."""
        word = place_word(self._source, landed)
        waiting: list[Row] = []
        for item in read_items(self._opener, landed):
            if isinstance(item, Row):
                waiting.append(item)
                if len(waiting) == _ROWS_AT_ONCE:
                    yield self._pack(waiting, landed, object_no, word, refusals, counted)
                    waiting = []
            elif isinstance(item, Reject):
                refusals.add(landed, word, item)
            else:
                self.notices.append(item)
        if waiting:
            yield self._pack(waiting, landed, object_no, word, refusals, counted)

    def _pack(
        self, rows: list[Row], landed: LandedObject, object_no: int, word: str, refusals: Refusals, counted: Counter
    ) -> bytes:
        persons = self._persons_of(rows)
        self._persons.ensure({person for person in persons if person})
        if not self._persons.erased.isdisjoint(persons):
            rows, persons = self._without_erased(rows, persons, landed, word, refusals)
        if not rows:
            return b""
        columns = dict(
            zip(
                [column.name for column in self._table.columns],
                zip(*[row.values for row in rows], strict=True),
                strict=True,
            )
        )
        digests = [self._digest(row.content) for row in rows]
        ids = [self._ids[self._key_kind()][row.key] for row in rows]
        self.repeats.add([digest[:RECORD_ID_BYTES] for digest in digests], ids)
        fields = [
            [as_uuid(digest) for digest in digests],
            ids,
            self._deleted(columns, rows),
            repeat(self._table.data_class),
            [_NULL if person is None else person for person in persons],
            [_NULL if value is None else value for value in columns[self._table.event_at]]
            if self._table.event_at
            else repeat(_NULL),
            ["\\\\x" + digest.hex() for digest in digests],
            self._matches(columns, len(rows)),
            repeat(str(object_no)),
            [f"{word} {row.place}" for row in rows],
            repeat(_NULL),
            *(self._clear(column, columns[column.name]) for column in self._table.clear_columns),
            self._sealed(columns, digests, persons),
        ]
        counted["rows"] += len(rows)
        return ("\n".join(map("\t".join, zip(*fields, strict=False))) + "\n").encode()

    def _key_kind(self) -> str:
        """Of which kind the row's own id is: that of its single key column, else the table's own."""
        if len(self._table.key) == 1:
            column = self._table.columns[self._table.position(self._table.key[0])]
            if column.of:
                return column.of
        return self._table.name

    def _persons_of(self, rows: list[Row]) -> list[str | None]:
        if self._table.person is None:
            return [None] * len(rows)
        at, ids = self._table.position(self._table.person), self._ids["Patient"]
        return [None if row.values[at] is None else ids[row.values[at]] for row in rows]

    def _deleted(self, columns: dict[str, Sequence], rows: list[Row]) -> list[str]:
        rules = self._table.deleted_when
        if not rules:
            return ["t" if row.is_deleted else "f" for row in rows]
        told = [[value in values for value in columns[name]] for name, values in rules.items()]
        return [
            "t" if row.is_deleted or all(says) else "f" for row, says in zip(rows, zip(*told, strict=True), strict=True)
        ]

    def _clear(self, column: Column, values: Sequence[str | None]) -> list[str]:
        if column.data_class == "source_id":
            ids = self._ids[column.of]
            return [_NULL if value is None else ids[value] for value in values]
        if column.type == "text":
            return [_NULL if value is None else value.translate(_ESCAPES) for value in values]
        return [_NULL if value is None else value for value in values]

    def _sealed(self, columns: dict[str, Sequence], digests: list[bytes], persons: list[str | None]) -> list[str]:
        names = [column.name for column in self._table.columns if column.is_sealed or column.data_class == "source_id"]
        nonces = os.urandom(NONCE_BYTES * len(digests))
        sealed = []
        for at, (digest, person) in enumerate(zip(digests, persons, strict=True)):
            plain = {name: columns[name][at] for name in names if columns[name][at] is not None}
            encrypt = self._batch_encrypt if person is None else self._persons[person]
            nonce = nonces[at * NONCE_BYTES : (at + 1) * NONCE_BYTES]
            sealed.append("\\\\x" + (FORMAT + nonce + encrypt(nonce, orjson.dumps(plain), digest[:16])).hex())
        return sealed

    def _matches(self, columns: dict[str, Sequence], number: int) -> list[str]:
        """Match tokens of rows that tell who a person is; null for all others."""
        parts = {
            column.match: columns[column.name]
            for column in self._table.columns
            if column.match and column.match != "identifier"
        }
        identifiers = [
            (self._system(column), columns[column.name])
            for column in self._table.columns
            if self._is_identifier(column)
        ]
        if not parts and not identifiers:
            return [_NULL] * number
        texts = []
        for at in range(number):
            tokens = [
                self._tokeniser.identifier_token(system, values[at]) for system, values in identifiers if values[at]
            ]
            known = {part: values[at] for part, values in parts.items()}
            tokens.append(self._demographics(known))
            found = distinct([*tokens, *trait_tokens(self._tokeniser, self._traits(known, identifiers, at))])
            texts.append("{" + ",".join(found) + "}" if found else _NULL)
        return texts

    def _demographics(self, known: dict[str, str | None]) -> str | None:
        needed = ("family", "given", "birth_date", "sex", "postal_code")
        return self._tokeniser.demographic_token(**{name: known.get(name) for name in needed})

    def _traits(self, known: dict[str, str | None], identifiers: list, at: int) -> Traits:
        def said(part: str) -> tuple[str, ...]:
            return (known[part],) if known.get(part) else ()

        return Traits(
            families=said("family"),
            givens=tuple(given.split(" ")[0] for given in said("given")),
            postal_codes=said("postal_code"),
            streets=tuple((line, known.get("postal_code") or "") for line in said("street")),
            phones=said("phone"),
            emails=said("email"),
            numbers=tuple(
                (system, values[at]) for system, values in identifiers if values[at] and system in self._strong
            ),
        )

    def _system(self, column: Column) -> str | None:
        return column.system or (self._source.contract.identifier_system if self._source.contract else None)

    def _is_identifier(self, column: Column) -> bool:
        if column.match == "identifier":
            return True
        is_own_id = column.of == "Patient" and column.name in self._table.key
        return is_own_id and self._system(column) is not None

    def _without_erased(
        self, rows: list[Row], persons: list, landed: LandedObject, word: str, refusals: Refusals
    ) -> tuple[list, list]:
        kept = []
        for row, person in zip(rows, persons, strict=True):
            if person in self._persons.erased:
                refusals.add(landed, word, refuse_erased(row.place, None))
            else:
                kept.append((row, person))
        return [row for row, _ in kept], [person for _, person in kept]


class _Ids(dict):
    """A source's id of one kind -> its token."""

    def __init__(self, tokeniser: Tokeniser, source: str, kind: str) -> None:
        super().__init__()
        self._digest = tokeniser.id_digester(source, kind)

    def __missing__(self, source_id: str) -> str:
        token = as_uuid(self._digest(source_id.encode("utf-8", "surrogatepass")))
        if len(self) > 100_000:
            self.clear()
        self[source_id] = token
        return token
