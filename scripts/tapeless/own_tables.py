"""The YAML files that come with tapeless: the tables in `data/`, and the schemas."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
"""Every job and every plan reads some: libyaml does that ten times as fast, where PyYAML has it."""


def read_table(path: Path) -> dict[str, Any]:
    """What a YAML file holds: plain lists, mappings, texts and numbers."""
    content: dict[str, Any] = yaml.load(path.read_bytes(), _LOADER)  # noqa: S506 - a safe one
    return content
