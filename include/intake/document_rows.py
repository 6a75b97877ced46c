"""Documents of landed objects as rows for COPY: split, hashed, sealed, packed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import closing
from itertools import chain

from include.intake.feeding import Ahead
from include.intake.packing import HEADER, TRAILER, Persons, pack_group, seal_group
from include.intake.reading import Opener, Piece, judge, place_word, read_pieces
from include.intake.refusals import Refusals, refuse_erased
from include.intake.repeats import Repeats
from include.landing.catalogue import LandedObject
from include.lifecycle.policy import load_retention
from include.privacy.data_keys import Encrypt, PersonKeys
from include.privacy.documents import DocumentSplitter
from include.privacy.resource_plan import SplitGroup
from include.privacy.tokens import RECORD_ID_BYTES, Tokeniser
from include.sources.items import Notice, Reject
from include.sources.registry import Source

COPY_FORMAT = "binary"


class DocumentRows:
    """Makes the rows of one batch of documents, object by object. ``erased`` persons' records are refused."""

    def __init__(
        self,
        source: Source,
        opener: Opener,
        tokeniser: Tokeniser,
        splitter: DocumentSplitter,
        persons: PersonKeys,
        batch_encrypt: Encrypt,
    ) -> None:
        self._source, self._opener = source, opener
        self._splitter, self._persons, self._batch_encrypt = splitter, persons, batch_encrypt
        self._tokeniser = tokeniser
        self._digesters: dict = {}
        self._packed_persons = Persons()
        self._classes = load_retention()
        self._noticed: Counter[tuple] = Counter()
        self.repeats = Repeats()
        self._next: tuple[LandedObject, Ahead] | None = None

    @property
    def notices(self) -> list[Notice]:
        """What was noticed in all objects, added up: many small files say the same again and again."""
        return [Notice(code, count, names, table) for (code, table, names), count in self._noticed.items()]

    def rows_of(
        self,
        landed: LandedObject,
        object_no: int,
        refusals: Refusals,
        counted: Counter,
        next_up: LandedObject | None = None,
    ) -> Iterator[bytes]:
        """COPY data of an object's documents; refused ones go to ``refusals``. Counts ``rows`` as they are made.

        Reads ahead, also in the object that is ``next_up``; to be closed where that one is not asked for. Raises
        BrokenContainerError where the object cannot be read to its end.
        """
        word = place_word(self._source, landed)
        yield HEADER
        with closing(self._read(landed)) as pieces:
            self._next = (next_up, self._read(next_up)) if next_up else None
            for piece in pieces:
                if isinstance(piece, Reject):
                    refusals.add(landed, word, piece)
                elif isinstance(piece, Notice):
                    self._noticed[piece.code, piece.table, piece.names] += piece.count
                else:
                    yield self._pack(piece, landed, object_no, word, refusals, counted)
        yield TRAILER

    def close(self) -> None:
        """Stop reading what was to come next."""
        if self._next:
            self._next[1].close()

    def _read(self, landed: LandedObject) -> Ahead[Piece | Reject | Notice]:
        begun, self._next = self._next, None
        if begun and begun[0] is landed:
            return begun[1]
        if begun:
            begun[1].close()
        return Ahead(read_pieces(self._opener, landed), "reading")

    def _pack(
        self, piece: Piece, landed: LandedObject, object_no: int, word: str, refusals: Refusals, counted: Counter
    ) -> bytes:
        groups, unreadable = self._splitter.split(piece.texts)
        expected = landed.file.resource_type if not piece.is_deleted else None
        self._persons.ensure(set().union(*(group.persons for group in groups)) - {None})
        packed = []
        write_place = b"%b %%d" % word.encode()
        for group in groups:
            if expected and group.resource_type != expected:
                unreadable += group.indexes
                continue
            group = self._without_erased(group, piece, landed, word, refusals)
            contents = map(piece.contents.__getitem__, group.indexes)
            digests = list(map(self._digester(group.resource_type), contents))
            record_ids = [digest[:RECORD_ID_BYTES] for digest in digests]
            self.repeats.add(record_ids, group.tokens)
            counted["rows"] += len(digests)
            packed.append(
                pack_group(
                    group,
                    record_ids,
                    digests,
                    seal_group(group, record_ids, self._persons, self._batch_encrypt),
                    data_class=self._class_of(group.resource_type),
                    is_deleted=piece.is_deleted,
                    object_no=object_no,
                    places=list(map(write_place.__mod__, map(piece.places.__getitem__, group.indexes))),
                    persons=self._packed_persons,
                )
            )
        for index in unreadable:
            refusals.add(landed, word, judge(self._source, landed, piece.places[index], piece.contents[index]))
        return b"".join(chain.from_iterable(packed))

    def _digester(self, resource_type: str):
        if resource_type not in self._digesters:
            self._digesters[resource_type] = self._tokeniser.record_digester(self._source.name, resource_type)
        return self._digesters[resource_type]

    def _class_of(self, resource_type: str) -> str:
        return self._classes.class_of(resource_type) or "patient_data"

    def _without_erased(
        self, group: SplitGroup, piece: Piece, landed: LandedObject, word: str, refusals: Refusals
    ) -> SplitGroup:
        erased = self._persons.erased
        if not erased or erased.isdisjoint(group.persons):
            return group
        kept = []
        for at, person in enumerate(group.persons):
            if person in erased:
                refusals.add(landed, word, refuse_erased(piece.places[group.indexes[at]], group.resource_type))
            else:
                kept.append(at)
        return SplitGroup(group.resource_type, *(_take(column, kept) for column in group[1:]))


def _take(column: Sequence, kept: list[int]) -> list:
    return [column[at] for at in kept]
