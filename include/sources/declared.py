"""Reading YAML that people declare things in: nothing unknown passes, and everything wrong is said at once."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from include.errors import PlumblineError


class DeclarationError(PlumblineError):
    """A YAML file of declarations cannot be used as it stands."""


@dataclass(slots=True)
class Complaints:
    """What is wrong with one file, collected so that a person can correct it in one go."""

    file: Path
    found: list[str] = field(default_factory=list)
    elsewhere: set[str] = field(default_factory=set)  # names of other files that have to be corrected

    def add(self, text: str) -> None:
        """Note one thing that is wrong, with where it stands."""
        self.found.append(text)

    def raise_any(self, error: type[PlumblineError], *, expected: str) -> None:
        """Raise ``error`` with all complaints, or return where there is none."""
        if self.found:
            each = ";\n    ".join(self.found)
            raise error(
                found=f"{self.file.name} has {len(self.found)} mistakes:\n    {each}"
                if len(self.found) > 1
                else f"{self.file.name} has a mistake: {each}",
                expected=expected,
                action=f"correct {' and '.join(sorted(self.elsewhere) or [self.file.name])}",
            )

    def refuse_unknown(self, where: str, words: Mapping[str, Any], known: set[str]) -> None:
        """Complain about every word that is not one of ``known``, naming the nearest that is."""
        for word in words:
            if word not in known:
                self.add(f"{where}: '{word}' is not known (known: {', '.join(sorted(known))})")

    def choice(self, where: str, value: object, allowed: tuple[str, ...] | frozenset[str]) -> None:
        """Complain where ``value`` is not one of ``allowed``."""
        if value not in allowed:
            said = "missing" if value is None else f"'{value}'"
            self.add(f"{where} is {said}, not one of {', '.join(sorted(allowed))}")


class _Loader(yaml.SafeLoader):
    """YAML that builds plain values only, and refuses a key said twice: the second would silently win.

    Only true and false are booleans: yes, no, on and off are words that people use as codes and as names of columns.
    """

    yaml_implicit_resolvers = {
        first: [(tag, pattern) for tag, pattern in resolvers if not tag.endswith(":bool")]
        for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }


def _mapping(loader: _Loader, node: yaml.MappingNode) -> dict:
    loader.flatten_mapping(node)
    seen: set = set()
    for key_node, _ in node.value:
        key = loader.construct_object(key_node)
        if not isinstance(key, (str, int, float, bool)):
            raise yaml.constructor.ConstructorError(None, None, "a key is not a word", key_node.start_mark)
        if key in seen:
            raise yaml.constructor.ConstructorError(None, None, f"'{key}' is said twice", key_node.start_mark)
        seen.add(key)
    return loader.construct_mapping(node, deep=True)


_Loader.add_implicit_resolver("tag:yaml.org,2002:bool", re.compile(r"true|True|TRUE|false|False|FALSE"), list("tTfF"))
_Loader.add_constructor(yaml.resolver.BaseResolver.DEFAULT_MAPPING_TAG, _mapping)


def read_yaml(path: Path, error: type[PlumblineError] = DeclarationError) -> dict[str, Any]:
    """The mapping a YAML file holds, as plain values. Raises ``error`` where there is no such file or no mapping in it."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as cause:
        raise error(
            found=f"there is no file {path}"
            if isinstance(cause, FileNotFoundError)
            else f"{path.name} cannot be read ({type(cause).__name__})",
            expected=f"a YAML file in UTF-8 at {path}",
            action="correct the path, or write the file",
        ) from cause
    try:
        value = yaml.load(text, _Loader)
    except yaml.YAMLError as cause:
        mark = getattr(cause, "problem_mark", None)
        where = f" at line {mark.line + 1}" if mark else ""
        raise error(
            found=f"{path.name} is not YAML{where}: {getattr(cause, 'problem', None) or 'unreadable'}",
            expected="YAML as in the examples of the README",
            action=f"correct {path.name}",
        ) from cause
    if not isinstance(value, dict):
        raise error(
            found=f"{path.name} holds {'nothing' if value is None else 'no mapping'}",
            expected="a mapping, as in the examples of the README",
            action=f"correct {path.name}",
        )
    return value
