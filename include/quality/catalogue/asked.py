"""What ``make check`` is to look at: a folder, an entry of a sources.yml, or what a kind asks."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from include.sources import command_words
from include.sources.registry import Source, SourcesError, find_source, kinds, load_sources


def find(asked: str, kind: str | None = None, contract: str | None = None, words: Sequence[str] = ()) -> Source:
    """The source to check: ``sources.yml``, ``sources.yml:name``, a folder (with its kind where files do not tell it), or with
    its kind a FHIR server's address or a database.

    Raises SourcesError where that is not one source.
    """
    if kind in kinds() and hasattr(kinds()[kind], "pull"):
        return command_words.source_of(kind, asked, name="folder", contract=contract, words=words)
    path, _, name = asked.partition(":") if not Path(asked).exists() else (asked, "", "")
    if Path(path).is_file() and Path(path).suffix in (".yml", ".yaml"):
        sources = load_sources(Path(path))
        if name:
            return find_source(sources, name)
        if len(sources) == 1:
            return sources[0]
        raise SourcesError(
            found=f"{path} declares {len(sources)} sources",
            expected="one source to check",
            action=f"name it: SOURCE={path}:{sources[0].name}",
        )
    if not asked or not Path(path).exists():
        raise SourcesError(
            found=f"there is no {path or 'SOURCE'}",
            expected="a folder of files, or a sources.yml",
            action="correct SOURCE=",
        )
    folder = Path(path).resolve()
    return command_words.source_of(kind or _kind_of(folder), str(folder), name="folder", contract=contract, words=words)


# Kinds by the endings of their files, the most telling first; packed or not.
_ENDINGS = (
    ("fhir_bulk", (".ndjson", ".jsonl")),
    ("hl7v2", (".hl7",)),
    ("dicom", (".dcm", ".dicom")),
    ("fhir_bundles", (".json",)),
    ("csv", (".csv",)),
    ("clinical_notes", (".txt", ".rtf", ".html", ".pdf")),
)


def _kind_of(folder: Path) -> str:
    files = sorted(path for path in (folder.rglob("*") if folder.is_dir() else [folder]) if path.is_file())
    names = [path.name.lower().removesuffix(".gz") for path in files if path.name != "manifest.json"]
    for kind, endings in _ENDINGS:
        if any(name.endswith(endings) for name in names):
            return kind
    if any(_is_dicom(path) for path in files[:20]):
        return "dicom"
    raise SourcesError(
        found=f"none of {len(files)} files in {folder.name} tells its kind by its name",
        expected=f"files of one of the kinds {', '.join(kinds())}",
        action="say it: KIND=hl7v2",
    )


def _is_dicom(path: Path) -> bool:
    """Part 10 files hold these letters after 128 bytes."""
    with path.open("rb") as file:
        return file.read(132)[128:] == b"DICM"
