"""YAML that people review, parsed by libyaml where PyYAML has it: a tenth of the time, for every step reads dozens of such files."""

from __future__ import annotations

from typing import Any

import yaml

_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def parse_yaml(text: str | bytes) -> Any:
    """What ``yaml.safe_load`` returns. Raises yaml.YAMLError where the text is no YAML."""
    try:
        return yaml.load(text, Loader=_LOADER)
    except yaml.YAMLError:
        return yaml.safe_load(text)  # refuses it too, and names the place better
