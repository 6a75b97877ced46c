"""Whether anything comes twice in a batch, noted while its rows are made: asking the database afterwards takes longer."""

from __future__ import annotations

from array import array
from collections.abc import Hashable, Iterable

_MOST = 2_000_000  # rows; what is larger is asked of the database, in less memory


class Repeats:
    """Hashes of record ids and resource ids met so far. Tells of more than there is (rows taken back too), never of less."""

    def __init__(self) -> None:
        self._records, self._resources = array("q"), array("q")

    def add(self, record_ids: Iterable[Hashable], resource_tokens: Iterable[Hashable]) -> None:
        """Note rows: ids of their records, and tokens of their resources' ids (which differ from type to type)."""
        if len(self._records) <= _MOST:
            self._records.extend(map(hash, record_ids))
            self._resources.extend(map(hash, resource_tokens))

    @property
    def of_records(self) -> bool:
        """Whether the same record may be there twice."""
        return _may_repeat(self._records)

    @property
    def of_resources(self) -> bool:
        """Whether two records may be of the same resource."""
        return _may_repeat(self._resources)


def _may_repeat(hashes: array) -> bool:
    return len(hashes) > _MOST or len(set(hashes)) < len(hashes)
