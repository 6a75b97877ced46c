"""``make measures DECK=path OUT=results.csv``: evaluate decks, write a row a case, say where they differ."""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

from include.measures.deck import POPULATIONS, Case, Deck, find_decks, read_case
from include.measures.evaluate import Outcome, evaluate
from include.settings import Settings
from include.terminology.load import terminology_folder
from include.terminology.value_sets import Terminology, ValueSet, read_terminology


@dataclass(frozen=True, slots=True)
class Result:
    """One population of one case. ``agree`` is yes, no, or 'not evaluated'."""

    measure: str
    case: str
    title: str
    population: str
    expected: str
    actual: str
    agree: str
    note: str


def run_decks(path: Path, settings: Settings, say: Callable[[str], None] = lambda line: None) -> list[Result]:
    """Evaluate every deck found at ``path``. Decks whose value sets contradict each other are run apart."""
    results: list[Result] = []
    for decks, value_sets in _runs(find_decks(path)):
        cases = [read_case(deck, each) for deck in decks for each in deck.case_paths]
        named = ", ".join(sorted({deck.folder.name for deck in decks}))
        say(
            f"evaluating {len(cases)} cases of {named} with {len(value_sets)} value sets; about 20 seconds however many"
        )
        outcome = evaluate(cases, value_sets, settings)
        results += [result for index, case in enumerate(cases) for result in _results(index, case, outcome)]
    return results


def _runs(decks: Sequence[Deck]) -> list[tuple[list[Deck], list[ValueSet]]]:
    """Decks that can share one run, with their value sets: their own, those of decks beside them, the terminology folder's."""
    runs: list[tuple[list[Deck], dict[str, ValueSet]]] = []
    for deck in decks:
        own = _own(deck)
        for together, held in runs:
            if all(held[oid].codes == found.codes for oid, found in own.items() if oid in held):
                together.append(deck)
                held.update(own)
                break
        else:
            runs.append(([deck], dict(own)))
    folder = terminology_folder()
    further = read_terminology([folder]).value_sets if folder else {}
    return [(together, _completed(held, together, further)) for together, held in runs]


def _own(deck: Deck) -> dict[str, ValueSet]:
    said: Terminology = read_terminology(deck.terminology_files)
    return {oid: found for oid, found in said.value_sets.items() if found.codes}


def _completed(held: dict[str, ValueSet], decks: Sequence[Deck], further: dict[str, ValueSet]) -> list[ValueSet]:
    known = dict(held)
    for parent in dict.fromkeys(deck.folder.parent for deck in decks):
        for folder in sorted(each for each in parent.iterdir() if each.is_dir() and (each / "cases").is_dir()):
            for oid, found in _own(Deck(folder, ())).items():
                known.setdefault(oid, found)
    for oid, found in further.items():
        known.setdefault(oid, found)
    return list(known.values())


def _results(index: int, case: Case, outcome: Outcome) -> Iterator[Result]:
    measure = (case.measure or "unknown").upper()
    if case.problem is not None:
        yield Result(measure, case.name, case.title, "", "", "", "not evaluated", f"malformed case: {case.problem}")
        return
    note = _note(case.measure, outcome)
    for population in POPULATIONS:
        if population in case.expected:
            expected, actual = case.expected[population], outcome.counts[index][population]
            agree = "yes" if expected == actual else "no"
            if case.measure in outcome.not_computable:
                actual, agree = "", "not evaluated"  # without its value sets a zero would be false
            yield Result(measure, case.name, case.title, population, str(expected), str(actual), agree, note)


def _note(measure: str | None, outcome: Outcome) -> str:
    parts = []
    if missing := outcome.missing.get(measure or ""):
        parts.append(f"value sets missing: {missing}")
    if standing := outcome.stand_ins.get(measure or ""):
        parts.append(f"the project's own codes stand in for: {standing}")
    return "; ".join(parts)


def write_csv(results: Sequence[Result], out: Path) -> None:
    """Write one row a case: ``expected_<population>`` and ``actual_<population>`` of each, empty where the case has none."""
    counted = [f"{said}_{_word(name)}" for name in POPULATIONS for said in ("expected", "actual")]
    with out.open("w", newline="") as stream:
        writer = csv.DictWriter(stream, ["measure", "case", "title", *counted, "agree", "note"], lineterminator="\n")
        writer.writeheader()
        writer.writerows(_case_row(of_case) for of_case in _by_case(results))


def _by_case(results: Sequence[Result]) -> Iterator[list[Result]]:
    for _, of_case in groupby(results, key=lambda each: (each.measure, each.case)):
        yield list(of_case)


def _case_row(of_case: Sequence[Result]) -> dict[str, str]:
    first = of_case[0]
    row = {"measure": first.measure, "case": first.case, "title": first.title, "note": first.note}
    for each in of_case:
        if each.population:
            row[f"expected_{_word(each.population)}"] = each.expected
            row[f"actual_{_word(each.population)}"] = each.actual
    return {**row, "agree": _agree(of_case)}


def _agree(of_case: Sequence[Result]) -> str:
    """The worst of a case's populations."""
    return max((each.agree for each in of_case), key=list(_WORDS).index)


def _word(population: str) -> str:
    return population.replace("-", "_")


def shown(results: Sequence[Result]) -> Iterator[str]:
    """Lines for the terminal: a row a case, expected/actual of each population, then what is missing and what differs."""
    yield f"{'measure':8} {'case':38} " + " ".join(f"{short:>5}" for short in _SHORT.values()) + "  agree"
    for of_case in _by_case(results):
        told = {each.population: f"{each.expected}/{each.actual or '-'}" for each in of_case if each.population}
        cells = " ".join(f"{told.get(name, ''):>5}" for name in _SHORT)
        yield f"{of_case[0].measure:8} {of_case[0].case[:38]:38} {cells}  {_agree(of_case)}"
    yield "expected/actual of " + ", ".join(f"{short} {name}" for name, short in _SHORT.items())
    yield ""
    yield from _summary(results)


def _summary(results: Sequence[Result]) -> Iterator[str]:
    lacking = dict.fromkeys(f"{each.measure}: {each.note}" for each in results if each.population and each.note)
    yield from lacking
    if lacking:
        yield (
            "  cases of these may differ for that alone; give the value sets in the deck (valuesets.json.gz) or in the folder that "
            "PLUMBLINE_TERMINOLOGY names"
        )
    for each in results:
        if each.agree == "not evaluated" and not each.population:
            yield f"{each.measure} {each.case}: {each.note}"
    for measure in dict.fromkeys(each.measure for each in results):
        of_cases = Counter(state for _, state in sorted(_states(results, measure).items()))
        told = [f"{of_cases[state]} {word}" for state, word in _WORDS.items() if of_cases[state]]
        yield f"{measure}: {sum(of_cases.values())} cases, {', '.join(told)}"
    differing = [each for each in results if each.agree == "no"]
    for each in differing:
        title = f" ({each.title})" if each.title else ""
        yield f"  differs: {each.measure} {each.case}{title}: {each.population} expected {each.expected}, found {each.actual}"
    cases = {(each.measure, each.case) for each in results}
    wrong = {(each.measure, each.case) for each in results if each.agree != "yes"}
    yield f"{len(cases) - len(wrong)} of {len(cases)} cases agree in every population"


_WORDS = {"yes": "agree in every population", "no": "differ", "not evaluated": "not evaluated"}


_SHORT = dict(zip(POPULATIONS, ("IP", "DEN", "DENEX", "DENXC", "NUM"), strict=True))


def _states(results: Sequence[Result], measure: str) -> dict[str, str]:
    states: dict[str, str] = {}
    for each in results:
        if each.measure == measure and states.get(each.case, "yes") == "yes":
            states[each.case] = each.agree
    return states
