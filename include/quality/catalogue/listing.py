"""Everything that is checked, as a list a steward can read."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from include.quality.catalogue import custom
from include.quality.catalogue.agreement import read_traits
from include.quality.catalogue.at_the_door import instances_of_gate
from include.quality.catalogue.check_types import Instance
from include.quality.catalogue.marts import read_marts
from include.quality.catalogue.subjects import read_subjects


def every_instance() -> list[Instance]:
    """All checks: the catalogue's on deliveries, marts and persons, one's own, and the gate's."""
    own, statements = custom.read_custom(custom.checks_folder())
    listed = [each for subject in read_subjects() for each in subject.instances]
    listed += [each for mart in read_marts() for each in mart.subject.instances]
    listed += read_traits().values()
    return [*listed, *own, *(check.instance for check in statements), *instances_of_gate().values()]


def lines() -> Iterator[str]:
    """One line a check, grouped by kind, and the sums."""
    listed = sorted(every_instance(), key=lambda each: (each.check.name, each.name))
    for each in listed:
        kahn = "/".join(filter(None, (each.check.context, each.check.category, each.check.subcategory)))
        yield f"{each.name:78} {each.check.dimension:13} {each.threshold:>6.1%}  {kahn}"
    kinds = Counter(each.check.name for each in listed)
    yield f"{len(listed)} checks of {len(kinds)} kinds"
