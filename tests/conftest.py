"""What all tests share: where the body model is kept."""

from __future__ import annotations

import os
from pathlib import Path

# Read when anny is first imported, so before any test module is.
os.environ.setdefault("ANNY_CACHE_DIR", str(Path(__file__).parents[1] / "resources" / "anny"))
