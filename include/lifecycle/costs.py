"""What keeping data costs, by tier: for people who read a plan."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from include.lifecycle.policy import PolicyError

POLICY_FILE = Path(__file__).parents[1] / "policies" / "costs.yml"
TIERS = ("hot", "landing", "cold", "archive")
GB = 1e9


@dataclass(frozen=True, slots=True)
class Prices:
    """US dollars for a gigabyte and month, by tier."""

    per_gb_month: Mapping[str, float]

    def monthly(self, tier: str, size: int) -> float:
        """Dollars a month for so many bytes; what is destroyed costs nothing."""
        return self.per_gb_month.get(tier, 0.0) * size / GB


@lru_cache(maxsize=2)
def load_prices(path: Path = POLICY_FILE) -> Prices:
    """Read and check the prices. Raises PolicyError naming everything wrong at once."""
    import yaml

    said = yaml.safe_load(path.read_text())
    prices = said.get("usd_per_gb_month") or {}
    faults = [f"{tier} has no price" for tier in TIERS if tier not in prices]
    faults += [f"unknown tier '{tier}'" for tier in prices if tier not in TIERS]
    faults += [
        f"the price of {t} is no number from 0" for t, p in prices.items() if not isinstance(p, (int, float)) or p < 0
    ]
    faults += [f"{word} is missing" for word in ("owner", "reviewed", "reason") if not said.get(word)]
    if faults:
        raise PolicyError(
            found=f"{path.name} has {len(faults)} fault(s): {'; '.join(faults)}",
            expected="a price a tier, an owner and a reason",
            action=f"correct {path.name}",
        )
    return Prices({tier: float(price) for tier, price in prices.items()})


def cost_lines(moves: Iterable[tuple[str, str, int]], prices: Prices | None = None) -> list[str]:
    """Cost a month by tier before and after; each move is (tier, tier after, bytes)."""
    prices = prices or load_prices()
    before, after = dict.fromkeys(TIERS, 0.0), dict.fromkeys(TIERS, 0.0)
    for tier, due, size in moves:
        for costs, where in ((before, tier), (after, due)):
            if where in costs:
                costs[where] += prices.monthly(where, size)
    lines = [f"{tier:8} {before[tier]:10.2f} USD a month now, {after[tier]:10.2f} after" for tier in TIERS]
    return [*lines, f"{'all':8} {sum(before.values()):10.2f} USD a month now, {sum(after.values()):10.2f} after"]
