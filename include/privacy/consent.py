"""What people said about the uses of their data, honoured by purpose from the next night on, for their whole history.

A FHIR Consent speaks of a purpose where a provision names one of its codes, or where its scope is the purpose's and the root
provision names none; a denial without any purpose that can be read (a code without its system is sealed) speaks of all. The newest active statement of any of a person's tokens
counts; an opt-out told to the organisation directly always does. HL7 FHIR R4 Consent, https://hl7.org/fhir/R4/consent.html
"""

from __future__ import annotations

import os
from calendar import monthrange
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from functools import lru_cache, partial
from pathlib import Path
from uuid import UUID

from include.audit.refusals import refusals_told
from include.command import run_command
from include.errors import PlumblineError
from include.nights import step
from include.settings import Settings
from include.warehouse.connect import connect

POLICY_FILE = Path(__file__).parents[1] / "policies" / "consent.yml"
RULES = ("unless_denied", "only_if_permitted")


class ConsentError(PlumblineError):
    """The consent policy contradicts itself, or an opt-out cannot be recorded as asked."""


@dataclass(frozen=True, slots=True)
class Purpose:
    """A use of data: what holds of who said nothing, and the codes and scopes by which a consent names it."""

    name: str
    rule: str
    codes: frozenset[str]
    scopes: frozenset[str]


@dataclass(frozen=True, slots=True)
class Statement:
    """What one consent says of one purpose."""

    purpose: str
    decision: str
    starts_at: str | None
    ends_at: str | None


@lru_cache(maxsize=2)
def load_purposes(path: Path = POLICY_FILE) -> tuple[Purpose, ...]:
    """Read and check the policy. Raises ConsentError naming everything wrong at once."""
    import yaml

    said = yaml.safe_load(path.read_text())
    faults = [f"{word} is missing" for word in ("owner", "reviewed", "purposes") if not said.get(word)]
    for name, purpose in (said.get("purposes") or {}).items():
        unknown = set(purpose) - {"rule", "codes", "scopes", "reason"}
        faults += [f"{name}: unknown word '{word}'" for word in sorted(unknown)]
        if purpose.get("rule") not in RULES:
            faults.append(f"{name}: rule is not one of {', '.join(RULES)}")
        if not purpose.get("codes"):
            faults.append(f"{name}: no codes, so no consent could speak of it")
    if faults:
        raise ConsentError(
            found=f"{path.name} has {len(faults)} fault(s): {'; '.join(faults)}",
            expected="purposes with a rule and the codes that mean them",
            action=f"correct {path.name}; no marts are published until then",
        )
    return tuple(
        Purpose(name, told["rule"], frozenset(told["codes"]), frozenset(told.get("scopes") or ()))
        for name, told in said["purposes"].items()
    )


def read_consent(body: Mapping, purposes: tuple[Purpose, ...]) -> list[Statement]:
    """What a Consent says, purpose by purpose. Pure. A deeper provision is an exception to the one around it.

    A list stands for its objects where FHIR has one object: a denial in an unusual shape is a denial, and stops no night.
    """
    scopes = _codes(_objects(body.get("scope")))
    statements: dict[str, Statement] = {}
    roots = _objects(body.get("provision")) or [{}]
    for provision, is_root in (each for root in roots for each in _provisions(root)):
        decision = provision.get("type") or (_base_rule(body) if is_root else None)
        if decision not in ("permit", "deny"):
            continue
        named = {coding.get("code") for coding in _objects(provision.get("purpose"))}
        period = next(iter(_objects(provision.get("period"))), {})
        for purpose in purposes:
            if _speaks_of(purpose, named, scopes, decision, is_root):
                statements[purpose.name] = Statement(
                    purpose.name, decision, _from_start(period.get("start")), _to_end(period.get("end"))
                )
    return list(statements.values())


def _speaks_of(purpose: Purpose, named: set, scopes: set[str], decision: str, is_root: bool) -> bool:
    if named:
        return bool(named & purpose.codes)
    if not is_root:
        return False
    return bool(scopes & purpose.scopes) or (decision == "deny" and "research" not in scopes)


def _base_rule(body: Mapping) -> str | None:
    """OPTIN permits what it is about, OPTOUT denies it (v3-ActCode)."""
    codes = _codes(_objects(body.get("policyRule")))
    return "permit" if "OPTIN" in codes else "deny" if "OPTOUT" in codes else None


def _provisions(provision: Mapping, is_root: bool = True) -> Iterator[tuple[Mapping, bool]]:
    yield provision, is_root
    for inner in _objects(provision.get("provision")):
        yield from _provisions(inner, False)


def _codes(concepts: list[Mapping]) -> set[str]:
    return {coding.get("code") for concept in concepts for coding in _objects(concept.get("coding"))}


def _objects(value: object) -> list[Mapping]:
    """The objects of an element, whether it was sent as one or as a list."""
    return [each for each in (value if isinstance(value, list) else [value]) if isinstance(each, dict)]


def refresh_opt_outs(night: date, settings: Settings | None = None) -> dict[str, int]:
    """Read new consents and decide anew who is out of which use on ``night``. Returns people by purpose; repeatable."""
    settings = settings or Settings.from_environment(os.environ)
    with step(night, "consent", role="transformer", settings=settings) as running:
        with connect("transformer", settings=settings) as hot:
            hot.execute("select pg_advisory_xact_lock(hashtext('include.privacy.consent'))")
            _read_new(hot, load_purposes())
            counts = _decide(hot, night, load_purposes())
        running.count(**counts)
    return counts


def _read_new(hot, purposes: tuple[Purpose, ...]) -> None:
    row = hot.execute("select batch_seq from restricted.consent_read").fetchone()
    seen = row[0] if row else 0
    newest = hot.execute("select coalesce(max(batch_seq), 0) from lifecycle.batch where state = 'promoted'").fetchone()[
        0
    ]
    with hot.cursor(name="consents") as cursor:
        cursor.execute(
            """select record_id, person_token, resource_id, body, is_deleted, coalesce(event_at, last_updated, received_at), batch_seq
               from raw.resource where resource_type = 'Consent' and batch_seq > %s and batch_seq <= %s
                 and person_token is not null order by batch_seq""",
            [seen, newest],
        )
        rows = [told for consent in cursor for told in _rows_of(consent, purposes)]
    with hot.cursor() as cursor:
        cursor.executemany(
            """insert into restricted.consent (record_id, person_token, consent_id, purpose, decision, is_active, said_at, starts_at,
                   ends_at, batch_seq) values (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s) on conflict do nothing""",
            rows,
        )
    hot.execute(
        """insert into restricted.consent_read (batch_seq) values (%s)
           on conflict (only_row) do update set batch_seq = excluded.batch_seq""",
        [newest],
    )


def _rows_of(consent: tuple, purposes: tuple[Purpose, ...]) -> Iterator[tuple]:
    record_id, person, consent_id, body, is_deleted, said_at, batch_seq = consent
    is_active = not is_deleted and (body or {}).get("status") == "active"
    statements = read_consent(body or {}, purposes)
    # A version that ends a consent may say nothing else: it ends what earlier versions said, of every purpose.
    if not is_active:
        statements = [Statement(purpose.name, "permit", None, None) for purpose in purposes]
    for told in statements:
        yield (
            record_id, person, consent_id, told.purpose, told.decision, is_active, said_at, told.starts_at, told.ends_at,
            batch_seq,
        )  # fmt: skip


def _from_start(moment: str | None) -> str | None:
    """A period's start as a moment: a year or a month begins with its first day."""
    return moment + {4: "-01-01", 7: "-01"}.get(len(moment), "") if moment else None


def _to_end(moment: str | None) -> str | None:
    """A period's end as a moment: a year, a month or a day holds to its end."""
    if not moment or len(moment) > 10:
        return moment
    year, month = int(moment[:4]), int(moment[5:7] or 12)
    return f"{year:04}-{month:02}-{moment[8:10] or monthrange(year, month)[1]}T23:59:59Z"


def _decide(hot, night: date, purposes: tuple[Purpose, ...]) -> dict[str, int]:
    strict = [purpose.name for purpose in purposes if purpose.rule == "only_if_permitted"]
    hot.execute("delete from restricted.opted_out")
    hot.execute(
        """with newest_version as (
               select distinct on (consent_id, purpose) * from restricted.consent
               order by consent_id, purpose, batch_seq desc, said_at desc, record_id),
           said as (
               select distinct on (l.person_key, c.purpose) l.person_key, c.purpose, c.decision
               from newest_version c join restricted.person_link l using (person_token)
               where c.is_active and coalesce(c.starts_at < %(night)s::date + 1, true) and coalesce(c.ends_at >= %(night)s::date, true)
               order by l.person_key, c.purpose, c.said_at desc, c.decision),
           told as (
               select distinct l.person_key, o.purpose from restricted.opt_out o join restricted.person_link l using (person_token)
               where o.withdrawn_at is null),
           silent as (
               select p.person_key, s.purpose from restricted.person p cross join unnest(%(strict)s::text[]) s (purpose)
               where not exists (select from said where said.person_key = p.person_key and said.purpose = s.purpose))
           insert into restricted.opted_out (person_key, purpose, because)
           select person_key, purpose, min(because) from (
               select person_key, purpose, 'consent' as because from said where decision = 'deny'
               union all select person_key, purpose, 'opt_out' from told
               union all select person_key, purpose, 'no_consent' from silent) everyone
           group by 1, 2""",
        {"night": night, "strict": strict},
    )
    rows = dict(hot.execute("select purpose, count(*) from restricted.opted_out group by 1").fetchall())
    return {purpose.name: rows.get(purpose.name, 0) for purpose in purposes}


@refusals_told("opt_out.refused", role="privacy_officer")
def record_opt_out(
    person_token: UUID, purpose: str, *, by: str, withdraw: bool = False, settings: Settings | None = None
) -> int:
    """Record an opt-out told to the organisation, or its withdrawal. Holds from the next night on. Returns rows changed.

    Raises ConsentError for a purpose the policy does not name, or where nobody answers for it.
    """
    known = {each.name for each in load_purposes()}
    if purpose not in known or not by.strip():
        raise ConsentError(
            found=f"purpose '{purpose}' recorded by {'somebody' if by.strip() else 'nobody'}",
            expected=f"one of {', '.join(sorted(known))}, and a name",
            action="say both",
        )
    with connect("privacy_officer", settings=settings, purpose="recording what a person said") as hot:
        if withdraw:
            changed = hot.execute(
                """update restricted.opt_out set withdrawn_by = %s, withdrawn_at = clock_timestamp()
                   where person_token = %s and purpose = %s and withdrawn_at is null""",
                [by, person_token, purpose],
            ).rowcount
        else:
            changed = hot.execute(
                """insert into restricted.opt_out (person_token, purpose, recorded_by) select %s, %s, %s
                   where not exists (select from restricted.opt_out
                                     where person_token = %s and purpose = %s and withdrawn_at is null)""",
                [person_token, purpose, by, person_token, purpose],
            ).rowcount
        action = "opt_out.withdrawn" if withdraw else "opt_out.recorded"
        hot.execute(
            "select audit.append(%s, %s, jsonb_build_object('by', %s::text), %s)",
            [action, str(person_token), by, purpose],
        )
    return changed


def main() -> int:
    """``python -m include.privacy.consent opt-out|withdraw --person TOKEN --purpose research --by NAME``."""
    import argparse

    parser = argparse.ArgumentParser(prog="python -m include.privacy.consent", description=main.__doc__)
    parser.add_argument("verb", choices=("opt-out", "withdraw"))
    parser.add_argument(
        "--person", type=UUID, required=True, help="person token; 'python -m include.lifecycle token' makes it of an id"
    )
    parser.add_argument("--purpose", required=True)
    parser.add_argument("--by", required=True, help="who records it; goes to the audit trail")
    return run_command("consent", partial(_record, parser.parse_args()))


def _record(asked) -> None:
    changed = record_opt_out(asked.person, asked.purpose, by=asked.by, withdraw=asked.verb == "withdraw")
    print(f"{changed} recorded; the next night honours it, for the whole history")


if __name__ == "__main__":
    raise SystemExit(main())
