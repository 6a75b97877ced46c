"""Hostile messages: no crash, no hang, no growth; every message of a stream is loaded or refused, and the next one is read."""

from __future__ import annotations

import io
import resource
import time

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from include.live.mllp import BlockReader, answer, read_header
from include.sources.hl7v2.framing import cut_messages
from include.sources.items import BrokenContainerError, Document, Notice, Reject
from include.sources.listing import Landed
from include.sources.registry import reader_of
from tests.hl7v2_messages import admit, message, results
from tests.reading import source_of

SOURCE = source_of("hl7v2", max_record_bytes=200_000)
GOOD = [
    admit(1),
    results(2),
    message("ADT^A40", "MRG|OLD^^^GHH^MR"),
    message("SIU^S12", "SCH|1|2|||||C|R|30|min|^^^20261201^20261202", "AIS|1|A|9^x^C4", "AIP|1|A|1^Smith^Bob"),
    message("MDM^T02", "TXA|1|DS|TX|20261119||||||||D1|||||AU", "OBX|1|ED|||^application^pdf^Base64^JVBE=||||||F"),
    message(
        "RDE^O11", "ORC|NW|1", "RXO|1^x^RXNORM|5||mg", "RXE|^QD|1^x|5||mg", "TQ1|1||BID", "RXR|PO", "RXD|1|1^x|2026|3"
    ),
    message("VXU^V04", "ORC|RE||7", "RXA|0|1|20261118||88^f^CVX|0.5|mL", "OBX|1|CE|64994-7^e^LN||V01"),
    message(
        "ORM^O01",
        "ORC|NW|1",
        "OBR|1|1||9^x^LN",
        "DG1|1|I10|E11.9",
        "AL1|1|DA|7^p",
        "IN1|1|P|2|M",
        "PR1|1|C4|9",
        "PRB|AD|2026|E1",
    ),
    b"\r".join(
        [
            b"MSH|^~\\&|ADTAPP|GHH|EHR|GHH|20261120083000-0500||REF^I12|C9|P|2.8",
            b"RF1|P|R|MED|||226^GHH|20261101|20261201|20261102|S|11001^EXT|||Why|||||Clinic|9^Doc||||Note|A",
            b"PRD|RP|Powell^Robert^^^Dr||W^1|^^^^^626^5551234||N1^NPI^CA|20200112|20270112|Good Health",
            b"CTD|C|Abbot^Adam|1 Lane^^Town^MI||^^^^^626^5551235",
            message(
                "ADT^A08",
                "EVN|A08|20260101080000|20260102|01^Asked|77^Clerk^Al|20260101070000|Desk^1.2.3^ISO",
                "ROL|1|AD|PP|9^Doc|20260101|20270101||",
                "PV1|1|I|W^1|" + "|" * 15 + "V1",
                "ACC|20260101|AU^Auto|Crossing||Y|N|9^Doc||Fell|Y|1 St^^Town|AC1",
                "GT1|1|G1^^^GHH|Doe^Pa||3 St|563",
                "FT1|1|T1||20260101||CG|99213^Visit^C4|||1|100&USD",
                "PDA|I21^MI^I10|||20260102|1^Cert|Y|20260101^20260102|2^Aut",
            ).partition(b"\r")[2],
        ]
    ),
]
WORDS = [b"|", b"^", b"~", b"&", b"\\", b"\r", b"\n", b"\x0b", b"\x1c", b"\0", b"\xff", b'""', b"MSH|^~\\&|", b"\rMSH|", b"\rBTS|9",
         b"\\X00\\", b"\\XZZ\\", b"\\.sp999999\\", b"9" * 400, b"1e999", b"-", b"\xc3\x28", b"\xed\xa0\x80", b"|" * 300, b"~" * 300,
         b"\rOBX|", b"\rPID|", b"\rPV1|1|I", b"\rZZZ|", b"\rNTE|||", b"0000", b"20269999", b"+9999", b"2.9.9.9", b"8859/1"]  # fmt: skip

damage = st.lists(
    st.tuples(
        st.sampled_from(["cut", "put", "swap", "twice"]),
        st.floats(0, 1),
        st.floats(0, 1),
        st.sampled_from(WORDS) | st.binary(max_size=6),
    ),
    max_size=6,
)


def damaged(content: bytes, hurts: list) -> bytes:
    for kind, at, length, word in hurts:
        begin = int(at * len(content))
        end = min(len(content), begin + int(length * 40))
        if kind == "cut":
            content = content[:begin] + content[end:]
        elif kind == "put":
            content = content[:begin] + word + content[begin:]
        elif kind == "swap":
            content = content[:begin] + word + content[end:]
        else:
            content = content[:end] + content[begin:]
    return content[:150_000]


def check(content: bytes) -> None:
    """Every message that the cutter sees becomes documents or one refusal, and a mistake of ours never shows."""
    begun = time.process_time()
    seen = [cut for cut in cut_messages(iter([content]), max_bytes=SOURCE.max_record_bytes) if cut.kind != "envelope"]
    try:
        items = list(reader_of(SOURCE).read(SOURCE, lambda: io.BytesIO(content), Landed()))
    except BrokenContainerError:
        assert not any(cut.kind in ("message", "over_long") for cut in seen)
        return
    refused = [item for item in items if isinstance(item, Reject)]
    assert not [item for item in refused if item.reason_code == "mapping_failed"], refused
    loaded = {item.place for item in items if isinstance(item, Document)}
    told = {item.place for item in refused if item.reason_code not in ("stray_text", "batch_count")}
    count = sum(cut.kind in ("message", "over_long") for cut in seen)
    assert loaded | told == set(range(1, count + 1))
    assert not loaded & told
    for item in items:
        assert isinstance(item, (Document, Reject, Notice))
        if isinstance(item, Document):
            assert b"\\u0000" not in item.content
            assert item.resource["id"]
    assert time.process_time() - begun < 20


@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.sampled_from(GOOD), damage, st.sampled_from(GOOD))
def test_damaged_messages_are_loaded_or_refused(first, hurts, second):
    check(damaged(first, hurts) + b"\r" + second)


@settings(max_examples=100, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    st.lists(
        st.sampled_from(WORDS) | st.sampled_from([each[:40] for each in GOOD]) | st.binary(max_size=20), max_size=30
    )
)
def test_streams_of_odd_pieces_are_loaded_or_refused(pieces):
    check(b"".join(pieces))


@settings(max_examples=100, deadline=None)
@given(st.lists(st.binary(max_size=30) | st.sampled_from([b"\x0b", b"\x1c\r", b"MSH|^~\\&|a"]), max_size=30))
def test_any_bytes_over_mllp_are_held_within_the_limit_and_answered(pieces):
    reader = BlockReader(64)
    for piece in pieces:
        for block in reader.feed(piece):
            assert len(block.content) <= 4096
            assert answer(read_header(block.content), "AR", "why").endswith(b"\x1c\r")
        assert reader.held <= 64


CORPUS = {
    "a header and nothing": b"MSH\rMSH|\rMSH|^",
    "digits that are none of ours": admit(1, "²٣").replace(b"19800229", "١٩٨٠٠٢٢٩".encode())
    + message("ORU^R01", "OBX|1|NM|1^x^LN||٣.٥|mg|٣-٥||||F"),
    "a million separators": b"MSH|^~\\&|A|B|C|D|2026||ADT^A01|1|P|2.3\rPID|" + b"|" * 150_000,
    "a million repetitions": b"MSH|^~\\&|A|B|C|D|2026||ADT^A01|1|P|2.3\rPID|1||" + b"1~" * 70_000,
    "many segments": b"MSH|^~\\&|A|B|C|D|2026||ORU^R01|1|P|2.3\rPID|1||1\r" + b"OBX|1|NM|1||1\r" * 10_000,
    "escapes without end": b"MSH|^~\\&|A|B|C|D|2026||ORU^R01|1|P|2.3\rPID|1||1\rOBX|1|TX|1||" + b"\\" * 140_000,
    "a line of lines": b"MSH|^~\\&|A|B|C|D|2026||ORU^R01|1|P|2.3\rPID|1||1\rOBX|1|TX|1||x\r" + b"y\n" * 60_000,
    "nested components": b"MSH|^~\\&|A|B|C|D|2026||ADT^A01|1|P|2.3\rPID|1||1^" + b"&^" * 70_000,
    "headers all the way": b"MSH|^~\\&|" * 15_000,
    "a header a line": b"MSH|^~\\&|\r" * 12_000,
    "nothing but notes": b"MSH|^~\\&|A|B|C|D|2026||ORU^R01|1|P|2.3\rPID|1||1\rOBX|1|TX|1||x\r" + b"NTE|||a\r" * 15_000,
}


@pytest.mark.parametrize("name", CORPUS)
def test_messages_made_to_be_slow_are_not(name):
    check(CORPUS[name])


@pytest.mark.slow
def test_fuzz_hl7v2_for_minutes_without_growth():
    """Minutes of damage; memory after it is what it was after the first tenth."""
    import os
    import random

    seconds, chance = (
        float(os.environ.get("FUZZ_SECONDS", "90")),
        random.Random(int(os.environ.get("FUZZ_SEED", 20261))),
    )
    begun, grown = time.monotonic(), None
    rounds = 0
    while time.monotonic() - begun < seconds:
        hurts = [
            (chance.choice(["cut", "put", "swap", "twice"]), chance.random(), chance.random(),
             chance.choice(WORDS) if chance.random() < 0.7 else chance.randbytes(chance.randrange(8)))
            for _ in range(chance.randrange(8))
        ]  # fmt: skip
        check(damaged(b"\r".join(chance.choices(GOOD, k=chance.randrange(1, 5))), hurts) + b"\r" + chance.choice(GOOD))
        rounds += 1
        if grown is None and time.monotonic() - begun > seconds / 10:
            grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert rounds > 1_000
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss < grown + (64 << 10)


@pytest.mark.slow
def test_fuzz_mllp_for_minutes_without_growth():
    """Blocks cut anywhere, with noise between: those that are whole come out once and in order, whatever stands around them."""
    import os
    import random

    seconds, chance = float(os.environ.get("FUZZ_SECONDS", "90")), random.Random(time.time_ns())
    begun, grown, rounds = time.monotonic(), 0, 0
    while time.monotonic() - begun < seconds:
        sent = [chance.choice(GOOD)[: chance.randrange(1, 400)].strip(b"\r") for _ in range(chance.randrange(12))]
        noise = [
            chance.choice([b"", b"", b"\r\n", b"noise", b"\x1c\r", chance.randbytes(5).replace(b"\x0b", b"")])
            for _ in sent
        ]
        stream = b"".join(b"\x0b" + each + b"\x1c\r" + between for each, between in zip(sent, noise, strict=True))
        reader, found = BlockReader(1_000), []
        while stream:
            size = chance.randrange(1, 60)
            found += reader.feed(stream[:size])
            stream = stream[size:]
        assert [block.content.strip(b"\r") for block in found] == sent
        for block in found:
            assert answer(read_header(block.content), "AR", "why").endswith(b"\x1c\r")
        rounds += 1
        if not grown and time.monotonic() - begun > seconds / 10:
            grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert rounds > 1_000
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss < grown + (64 << 10)
