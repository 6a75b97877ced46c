"""The wards' feed: HL7 v2 messages of people whom the north knows, in files of several shapes.

Admissions come in a batch envelope, others as MLLP frames left in a file, results one after another. Every message says in the
answer key how many resources it stands for. Which messages are sent is in ward_stays.py.
"""

import gzip
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path

from include.sample.answer_key import QUARANTINED, AnswerKey, Defect
from include.sample.delivery import hash_file
from include.sample.fhir_defects import STRUCTURAL
from include.sample.ward_messages import Message, segment

SOURCE, DATASET = "ward", "resource"
BATCH, FRAMES, RESULTS = "admissions.hl7", "admissions_mllp.dat", "results.hl7"
START, END = b"\x0b", b"\x1c\r"


@dataclass
class MessageFile:
    """One file of the feed, put together in memory: a feed's share of the people is capped."""

    name: str
    parts: list[bytes] = field(default_factory=list)
    messages: int = 0

    def add(self, content: bytes) -> int:
        """Add a message and return its place."""
        self.parts.append(content)
        self.messages += 1
        return self.messages


@dataclass
class Feed:
    """The feed being written to `folder`; `suffix` tells one delivery from another."""

    folder: Path
    key: AnswerKey
    suffix: str = ""
    people: int = 0
    sent: int = 0
    files: dict[str, MessageFile] = field(default_factory=dict)

    def file(self, name: str) -> MessageFile:
        """A file by its name without the suffix."""
        stem, _, ending = name.partition(".")
        return self.files.setdefault(name, MessageFile(f"{stem}{self.suffix}.{ending}"))

    def next_control_id(self) -> str:
        """A message's number, counting up."""
        self.sent += 1
        return f"W{self.suffix.strip('_')}{self.sent:06d}"

    def send(self, name: str, message: Message) -> int:
        """Add a good message, in the shape of its file, and count its resources."""
        self.key.counts[SOURCE, DATASET].received += message.resources
        return self.file(name).add(self._framed(name, message.as_bytes()))

    def _framed(self, name: str, content: bytes) -> bytes:
        return START + content + END if name == FRAMES else content

    def refuse(self, name: str, kind: str, content: bytes, *, is_framed: bool = True) -> None:
        """Add a message that cannot be read: one record, in quarantine."""
        place = self.file(name).add(self._framed(name, content) if is_framed else content)
        self.note(name, kind, STRUCTURAL, place)

    def note(self, name: str, kind: str, family: str, place: int, *, reasons: tuple[str, ...] = ()) -> None:
        """Write down what is refused. A structural defect is a record of its own; one at the gate is counted with its message."""
        self.key.counts[SOURCE, DATASET].received += family == STRUCTURAL
        self.key.add_defect(
            Defect(kind, family, SOURCE, DATASET, self.file(name).name, place, QUARANTINED, reasons or (kind,))
        )

    def close(self, *, is_whole: bool = True) -> None:
        """Write the files; the batch's envelope announces one message more than it holds where `is_whole` is False."""
        for name, file in self.files.items():
            content = b"".join(file.parts)
            if name == BATCH:
                content = self._enveloped(file, content, is_whole=is_whole)
            self._write(file.name, content)

    def _enveloped(self, file: MessageFile, content: bytes, *, is_whole: bool) -> bytes:
        before, stray = b"FHS|^~\\&|WARDSYS\rBHS|^~\\&|WARDSYS\r", b""
        if not is_whole:
            stray = b"page 1 of the ward printer\r"
            self.note(BATCH, "stray_text", STRUCTURAL, 0)
            self.note(BATCH, "batch_count", STRUCTURAL, file.messages)
        return before + stray + content + f"BTS|{file.messages + (not is_whole)}\rFTS|1\r".encode()

    def _write(self, name: str, content: bytes) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        (self.folder / name).write_bytes(content)
        self.key.hashes[SOURCE, name] = hash_file(self.folder / name)

    def write_broken_files(self) -> None:
        """Write a file that holds no message at all, and one that is cut off in transfer."""
        packed = BytesIO()
        with gzip.GzipFile("", "wb", 4, packed, mtime=0) as out:
            out.write(
                b"".join(
                    segment("MSH", {1: f"^~\\&|LOST|{number * 7919 % 104729}"}).encode() + b"\r"
                    for number in range(400)
                )
            )
        for name, kind, content, reasons in (
            ("pager_log.txt", "not_hl7v2", b"03:12 call 4W\n03:40 bed 402 ready\n", ("not_hl7v2",)),
            ("results_002.hl7.gz", "truncated_gzip", packed.getvalue()[: len(packed.getvalue()) * 6 // 10], ("truncated_gzip", "broken_gzip")),
        ):  # fmt: skip
            self._write(name, content)
            self.key.counts[SOURCE, DATASET].received += 1
            self.key.add_defect(Defect(kind, STRUCTURAL, SOURCE, DATASET, name, 0, QUARANTINED, reasons))
