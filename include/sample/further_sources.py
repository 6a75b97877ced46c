"""The sources of the further kinds, written together: the wards' messages, the pharmacy's database, pictures, notes."""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from include.sample import pharmacy, radiology, transcription, ward, ward_stays
from include.sample.answer_key import AnswerKey
from include.sample.block import Block
from include.sample.telling import NUMBER

FOLDERS = (ward.SOURCE, pharmacy.SOURCE, radiology.SOURCE, transcription.SOURCE)


@dataclass(frozen=True, slots=True)
class Known:
    """Under which numbers the further sources know a person, and by what each record can be recognised as the north's."""

    numbers: Mapping[str, str]
    links: Mapping[str, str]


class FurtherSources:
    """Everything but the two hospitals, the registry and the populations, being written below `out`."""

    def __init__(self, out: Path, key: AnswerKey) -> None:
        self._feed = ward.Feed(out / ward.SOURCE, key)
        self._database = pharmacy.Database(out / pharmacy.SOURCE, key)
        self._database.open()
        self._archive = radiology.Archive(out / radiology.SOURCE, key)
        self._notes = transcription.Notes(out / transcription.SOURCE, key)

    def add_block(self, block: Block) -> dict[int, Known]:
        """Write what they know of some people of a block; return who is known, by position."""
        numbers: dict[int, dict[str, str]] = defaultdict(dict)
        links: dict[int, dict[str, str]] = defaultdict(dict)
        for at, found in ward_stays.write_block(self._feed, block).items():
            numbers[at] |= found
            links[at] |= dict.fromkeys(found, NUMBER)
        for source, told in (
            (pharmacy.SOURCE, pharmacy.write_block(self._database, block)),
            (radiology.SOURCE, radiology.write_block(self._archive, block)),
        ):
            for at, (number, link) in told.items():
                numbers[at][source], links[at][source] = number, link
        for at, number in transcription.write_block(self._notes, block).items():
            numbers[at][transcription.SOURCE], links[at][transcription.SOURCE] = number, NUMBER
        return {at: Known(numbers[at], links[at]) for at in numbers}

    def close(self) -> None:
        """Finish all files."""
        self._feed.write_broken_files()
        self._feed.close(is_whole=self._feed.people == 0)
        self._database.close()
        self._notes.close()


def write_later(out: Path, key: AnswerKey, known: Block, day: int, night: date) -> dict[str, dict[str, int]]:
    """What the wards send and the pharmacy changes by `day` nights later; pictures and notes bring nothing new."""
    folder = out / ward.SOURCE
    if not folder.is_dir():  # a sample made before there were such sources
        return {}
    for path in folder.iterdir():
        path.unlink()
    feed = ward.Feed(folder, key, suffix=f"_{night:%Y%m%d}")
    ward_stays.write_later(feed, known, day, night)
    feed.close()
    return {pharmacy.SOURCE: pharmacy.change(out / pharmacy.SOURCE, key, day)}
