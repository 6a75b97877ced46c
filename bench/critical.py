"""Critical results: messages judged a second, beside parsing and mapping alone, and through the inbox and its database.

    python -m bench critical

A message is an ORU of 19 segments with 14 results; one in a hundred is critical, which is many.
"""

from __future__ import annotations

import json
import os
import time
from dataclasses import replace
from datetime import UTC, date, datetime

import pyrage

from bench.hl7v2 import oru
from bench.stack import bench_settings
from include.alerts.channels import Webhook
from include.critical.findings import Judge
from include.critical.policy import load_critical_policy
from include.critical.watch import Judging, Watch
from include.privacy.keyring import load_keyring
from include.privacy.tokens import Tokeniser
from include.settings import Settings
from include.sources.hl7v2.mapping import map_message
from include.sources.hl7v2.message import parse_message
from include.sources.hl7v2.people import Authorities
from include.sources.registry import Source, load_sources
from include.warehouse.connect import connect

NIGHT = date(2026, 11, 22)
MESSAGES = 4_000
CRITICAL_EACH = 100


def main() -> None:
    """Run and print both parts."""
    messages = [with_potassium(number) for number in range(MESSAGES)]
    with bench_settings(NIGHT) as settings:
        sources = settings.home / "bench_sources.yml"
        sources.write_text(json.dumps({"sources": [{"name": "ward", "kind": "hl7v2", "path": "none", "listen": 0}]}))
        settings = replace(settings, sources_file=sources)
        (source,) = load_sources(sources)
        _judging(source, settings, messages)
        _through_the_inbox(source, settings, messages)


def with_potassium(number: int) -> bytes:
    """One of the messages of ``bench hl7v2`` whose first result is a potassium, critical in one of a hundred."""
    value = "7.1" if number % CRITICAL_EACH == 0 else "4.2"
    first = f"OBX|1|NM|2823-3^Potassium^LN||{value}|mmol/L^^UCUM|3.5-5.1|N|||F|||20261120073000-0500"
    return b"\r".join(first.encode() if line.startswith(b"OBX|1|") else line for line in oru(number).split(b"\r"))


def _judging(source: Source, settings: Settings, messages: list[bytes]) -> None:
    judge = Judge(load_critical_policy(), Tokeniser(load_keyring(settings.keyring_dir).token_key))
    now = datetime.now(UTC)

    def mapped() -> None:
        for content in messages:
            map_message(parse_message(content.strip(b"\r\n")), source.name, source.zone, Authorities(source.name, {}))

    def judged() -> None:
        for content in messages:
            judge.judge_message(source, content, now)

    alone, whole = _rate(mapped), _rate(judged)
    print(f"parsing and mapping alone   {alone:8,.0f} messages/s")
    print(f"judging (14 results each)   {whole:8,.0f} messages/s    {whole / alone:.2f} of it")


def _through_the_inbox(source: Source, settings: Settings, messages: list[bytes]) -> None:
    keyring = load_keyring(settings.keyring_dir)
    with connect("postgres", "hot", settings) as hot:
        hot.execute("delete from intake.live where source = %s", [source.name])
        hot.execute("delete from critical.alert where source = %s", [source.name])
    recipient = [pyrage.x25519.Recipient.from_str(keyring.landing_recipient)]
    with connect("listener", "hot", settings) as hot, hot.cursor() as cursor:
        cursor.executemany(
            "insert into intake.live (source, sender_key, content_key, message_type, bytes, sealed) values (%s, %s, %s, 'ORU^R01', %s, %s)",
            [(source.name, os.urandom(32), b"", len(each), pyrage.encrypt(each, recipient)) for each in messages],
        )
    watch = Watch(
        settings, {source.name: source}, load_critical_policy(), keyring, (Webhook("http://127.0.0.1:1/none"),)
    )
    with (
        connect("watcher", "hot", settings, autocommit=True) as hot,
        connect("sealer", "keys", settings, autocommit=True) as books,
    ):
        judging = Judging(watch, hot, books)
        begun = time.perf_counter()
        while judging.judge_some():
            pass
        rate = len(messages) / (time.perf_counter() - begun)
    print(f"from the inbox to alerts    {rate:8,.0f} messages/s    {judging.totals['critical']} critical")


def _rate(work) -> float:
    work()
    begun = time.perf_counter()
    work()
    return MESSAGES / (time.perf_counter() - begun)
