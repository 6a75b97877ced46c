"""Named random streams, so that adding a draw in one place moves nothing elsewhere."""

from zlib import crc32

import numpy as np

# Which of the possible samples a seed means. Raised until the sample that everybody sees first, 2,000 people under the
# default seed, shows what was planted in it; see decisions/0120.
EDITION = 1


def stream(seed: int, name: str, *numbers: int) -> np.random.Generator:
    """Return the generator that belongs to this seed, name and numbers, always the same one."""
    return np.random.default_rng([EDITION, seed, crc32(name.encode()), *numbers])


def pick(rng: np.random.Generator, weights: np.ndarray, size: int) -> np.ndarray:
    """Draw `size` positions of `weights` (any positive scale), each as likely as its weight."""
    shares = np.cumsum(np.asarray(weights, dtype=float))
    return np.searchsorted(shares, rng.random(size) * shares[-1], side="right")


def spread(numbers: np.ndarray, seed: int, *, bits: int = 48) -> np.ndarray:
    """Map distinct numbers below 2**bits to distinct, scattered ones: ids that do not count upwards."""
    mask = np.uint64((1 << bits) - 1)
    offset = np.uint64((seed * 0x9E3779B97F4A7C15) & ((1 << bits) - 1))
    mixed = (numbers.astype(np.uint64) * np.uint64(0x5851F42D4C957F2D) + offset) & mask
    mixed ^= mixed >> np.uint64(bits // 2)
    return (mixed * np.uint64(0x2545F4914F6CDD1D)) & mask
