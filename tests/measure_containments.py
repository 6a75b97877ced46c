"""What the seed measure_populations declares, held against who is in which population of a night's measures."""

from __future__ import annotations

from include.settings import Settings
from include.warehouse.connect import connect

# The sample asks about all needs at once; a hospital need not.
ASKED_TOGETHER = {f"asked_about_{need}" for need in ("housing", "food", "transport", "utilities", "safety")}
# Who is discharged was seen, save those whose stay began before the two years.
NEARLY = {("discharged", "adults_seen_in_two_years"), ("discharged", "seen_in_two_years")}
ENOUGH = 100  # people and periods: with fewer, one population lies within another by chance

_POPULATIONS = """
    create temporary table member as
    select distinct populations.population, membership.period_kind, membership.period, membership.person_key
    from intermediate.int_measures__membership membership
    join intermediate.measure_populations populations using (measure_id)
    where case populations.role when 'denominator' then membership.is_denominator else membership.is_numerator end
"""
_WITHIN = """
    select smaller.population, larger.population, count(*) = sizes.members, sizes.members
    from member smaller
    join member larger using (period_kind, period, person_key)
    join (select population, count(*) as members from member group by 1) sizes on sizes.population = smaller.population
    where smaller.population <> larger.population
    group by 1, 2, sizes.members
"""


def declared_against_rows(settings: Settings) -> tuple[set[tuple[str, str]], set[tuple[str, str]]]:
    """Containments (population, larger population) that are declared and do not hold, and that hold and are not declared."""
    with connect("transformer", "hot", settings) as hot:
        hot.execute(_POPULATIONS)
        found = hot.execute(_WITHIN).fetchall()
        declared = set(hot.execute("select population, larger from intermediate.int_measures__containments").fetchall())
        peopled = {row[0] for row in hot.execute("select distinct population from member")}
    holds = {(smaller, larger): members for smaller, larger, is_within, members in found if is_within}
    wrong = {pair for pair in declared - set(holds) if pair[0] in peopled}
    missing = {pair for pair, members in holds.items() if members >= ENOUGH} - declared - NEARLY
    return wrong, {
        (population, larger)
        for population, larger in missing
        if not (larger in ASKED_TOGETHER and ((population, "adults_asked") in declared or population == "adults_asked"))
    }
