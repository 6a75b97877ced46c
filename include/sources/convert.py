"""``make convert``: what a source would load, written as files. No database, no service, nothing kept anywhere else.

    python -m include.sources.convert --kind hl7v2 --in feed/ --out converted/
    python -m include.sources.convert --kind csv --in extracts/ --out converted/ --contract south.yml
    python -m include.sources.convert --kind fhir_api --in https://fhir.example.org/r4 --out converted/ --set "types=[Patient]"
    python -m include.sources.convert --kind database --in hospital.db --out converted/ --contract east.yml
    python -m include.sources.convert --in sources.yml --source south --out converted/     an entry of sources.yml

Writes <ResourceType>.ndjson (deletions in deleted/) or <table>.csv, rejects.ndjson, unmapped.json and summary.txt. What it
writes is identified data: the folder is closed to other users, and yours to delete.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from include.command import run_command
from include.errors import PlumblineError
from include.sources.command_words import at_hand, source_of
from include.sources.conversion import REJECTS, SUMMARY, UNMAPPED, Counts, Writer
from include.sources.registry import Source, find_source, load_sources, reader_of

_EVERY_SECONDS = 2.0
_SHOWN = 8


class ConvertError(PlumblineError):
    """The conversion cannot begin as asked."""


def convert(source: Source, out: Path, say: Callable[[str], None]) -> Counts:
    """Write everything the source's reader yields below ``out`` and return the counts.

    ``out`` is made, or was left by an earlier conversion, which is replaced. Raises ConvertError where it holds other
    things, SourcesError where nothing is to read, and what the kind's reader raises.
    """
    reader = reader_of(source)
    if not hasattr(reader, "pull"):
        _refuse_inside(out, source.path)
    _refuse_taken(out)
    with at_hand(source, say) as here:
        _prepare(out)
        writer = Writer(here, out)
        _write_files(here, writer, say)
    if hasattr(reader, "combine_lines"):
        writer.combine(reader.combine_lines)
    counts = writer.finish()
    (out / SUMMARY).write_text("\n".join(describe(counts, source, out)) + "\n")
    return counts


def _write_files(source: Source, writer: Writer, say: Callable[[str], None]) -> None:
    reader = reader_of(source)
    listing = reader.list_files(source)
    files = [file for file in listing.files if file.dataset]
    writer.counts.noticed["ignored_file"] = listing.ignored
    told_at = time.monotonic()
    for number, file in enumerate(files, 1):
        inside = file.path.relative_to(source.path) if source.path.is_dir() else Path(file.path.name)
        writer.write_file(
            str(inside),
            reader.place_word(file),
            reader.read(source, lambda file=file: file.path.open("rb"), file),
        )
        if time.monotonic() - told_at > _EVERY_SECONDS:
            told_at = time.monotonic()
            say(f"  {number:,} of {len(files):,} files, {writer.counts.received:,} records")


def _refuse_inside(out: Path, read_from: Path) -> None:
    if out.resolve().is_relative_to(read_from.resolve()):
        raise ConvertError(
            found=f"{out} lies within what is read", expected="a folder of its own", action="choose another OUT"
        )


def _refuse_taken(out: Path) -> None:
    if out.exists() and not out.is_dir():
        raise ConvertError(found=f"{out} is a file", expected="a folder to write to", action="choose another OUT")
    if out.exists() and any(out.iterdir()) and not (out / UNMAPPED).is_file() and not (out / REJECTS).is_file():
        raise ConvertError(
            found=f"{out} holds other things than a conversion",
            expected="a folder that is empty, not there, or left by an earlier conversion",
            action="choose another OUT",
        )


def _prepare(out: Path) -> None:
    out.mkdir(mode=0o700, parents=True, exist_ok=True)
    for path in [*out.glob("*"), *out.glob("deleted/*")]:
        if path.suffix in (".ndjson", ".csv", ".json", ".txt"):
            path.unlink()


def describe(counts: Counts, source: Source, out: Path) -> Iterator[str]:
    """Lines for a person: what came, what was written, what was refused and why, what to do next."""
    refused = sum(counts.refused.values())
    yield (
        f"{counts.received:,} records in {counts.files:,} file{'s' * (counts.files != 1)} of kind {source.kind}: "
        f"{sum(counts.written.values()):,} written to {out}, {refused:,} refused"
    )
    for name, number in counts.written.most_common():
        yield f"  {number:>10,}  {name}"
    if refused:
        yield "Refused, by reason:"
    for (reason, action), number in counts.refused.most_common(_SHOWN):
        yield f"  {number:>10,}  {reason}: {action}"
    yield from _describe_left(counts)
    yield f"Next: {_next_step(counts, source)}"


def _describe_left(counts: Counts) -> Iterator[str]:
    fields = [(number, f"{name} {each}") for name, found in counts.unmapped.items() for each, number in found.items()]
    if fields:
        yield f"Left out: {len(fields):,} fields or columns that become part of no record; most often"
    for number, name in sorted(fields, key=lambda each: (-each[0], each[1]))[:_SHOWN]:
        yield f"  {number:>10,}  {name}"


def _next_step(counts: Counts, source: Source) -> str:
    if counts.refused:
        return f"look at {REJECTS} (reason and place of each), correct the source or its entry, convert again"
    if not counts.written:
        return "nothing was written: see that IN holds what KIND says"
    return f"add the source to sources.yml (kind: {source.kind}) and run 'make nightly SOURCES=path/to/sources.yml'"


def _source(options: argparse.Namespace) -> Source:
    if options.source:
        return find_source(load_sources(Path(options.input)), options.source)
    words = {"contract": options.contract, "timezone": options.timezone, "words": options.set}
    return source_of(options.kind, options.input, name="convert", **words)


def main(arguments: list[str] | None = None) -> int:
    """0 where everything was written, 1 where something was refused, 2 where nothing could begin."""
    parser = argparse.ArgumentParser(prog="convert", description=__doc__.splitlines()[0])
    parser.add_argument("--kind", default="", help="hl7v2, fhir_bulk, fhir_bundles, csv, …")
    parser.add_argument(
        "--in",
        dest="input",
        required=True,
        help="file, folder, server's address or database; or sources.yml together with --source",
    )
    parser.add_argument("--out", required=True, help="folder to write to")
    parser.add_argument("--contract", help="contract.yml, for kinds that read tables")
    parser.add_argument("--timezone", default="UTC", help="of times that carry none")
    parser.add_argument("--source", help="name of an entry of the sources.yml that --in names")
    parser.add_argument(
        "--set", action="append", default=[], metavar="WORD=VALUE", help="any other word of sources.yml"
    )
    options = parser.parse_args(arguments)
    return run_command("convert", lambda: _convert_as_asked(options))


def _convert_as_asked(options: argparse.Namespace) -> int:
    if not options.input or not options.out:
        raise ConvertError(
            found="no IN or no OUT", expected="both", action="make convert KIND=hl7v2 IN=path OUT=folder"
        )
    source, out = _source(options), Path(options.out)
    counts = convert(source, out, lambda line: print(line, file=sys.stderr, flush=True))
    print("\n".join(describe(counts, source, out)))
    return 1 if counts.refused else 0


if __name__ == "__main__":
    sys.exit(main())
