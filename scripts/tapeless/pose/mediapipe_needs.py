"""What MediaPipe needs: its package, in which its models lie."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tapeless.needs import Needs


def find_needs(config: Mapping[str, Any]) -> Needs:
    """Nothing but its environment, whatever the configuration says."""
    return Needs(name="MediaPipe", environment="mediapipe")
