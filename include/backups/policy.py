"""What the backup policy says of how long backups are kept; how often each class is saved, its own rule says."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from include.errors import PlumblineError

POLICY_FILE = Path(__file__).parents[1] / "policies" / "backups.yml"
MOST_KEY_DAYS = 7
_WORDS = {"owner", "reviewed", "keep_days", "keys_keep_days", "drill_days", "reason"}


class BackupPolicyError(PlumblineError):
    """The backup policy is missing a word, has one too many, or keeps keys for too long."""


@dataclass(frozen=True, slots=True)
class BackupPolicy:
    """Days: ``keep_days`` of databases, ``keys_keep_days`` (at most 7) of keys, ``drill_days`` between rehearsals."""

    owner: str
    keep_days: int
    keys_keep_days: int
    drill_days: int


@lru_cache(maxsize=2)
def load_backup_policy(path: Path = POLICY_FILE) -> BackupPolicy:
    """Read and check the policy. Raises BackupPolicyError naming everything wrong at once."""
    import yaml

    said = yaml.safe_load(path.read_text())
    faults = faults_of(said)
    if faults:
        raise BackupPolicyError(
            found=f"{path.name} has {len(faults)} fault(s): {'; '.join(faults)}",
            expected="an owner, a reason, and whole days of which keys have at most 7",
            action=f"correct {path.name}; nothing is saved until then",
        )
    return BackupPolicy(said["owner"], said["keep_days"], said["keys_keep_days"], said["drill_days"])


def faults_of(said: object) -> list[str]:
    """Everything wrong with a parsed policy."""
    if not isinstance(said, dict):
        return ["the file is not a mapping"]
    faults = [f"unknown word '{word}'" for word in said if word not in _WORDS]
    faults += [f"{word} is missing" for word in sorted(_WORDS - said.keys())]
    faults += [f"{word} is empty" for word in ("owner", "reason") if word in said and not str(said[word] or "").strip()]
    for word in ("keep_days", "keys_keep_days", "drill_days"):
        days = said.get(word, 1)
        if not isinstance(days, int) or isinstance(days, bool) or days < 1:
            faults.append(f"{word} is not a whole number of days, at least 1")
        elif word == "keys_keep_days" and days > MOST_KEY_DAYS:
            faults.append(f"keys_keep_days ({days}) is more than {MOST_KEY_DAYS}: nobody could be erased for so long")
    return faults
