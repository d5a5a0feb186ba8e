"""What all tests share: where the body model is kept, and a video of a rendered person."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

# Tests press Ctrl-C, which what a script starts in the background ignores, and its children too.
signal.signal(signal.SIGINT, signal.default_int_handler)

# Read when anny is first imported, so before any test module is.
os.environ.setdefault("ANNY_CACHE_DIR", str(Path(__file__).parents[1] / "resources" / "anny"))


@pytest.fixture(scope="session")
def footage(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A video of one rendered person, who turns once."""
    from tapeless.population import draw_adults
    from tapeless.synthetic import Shot, film_person

    video = tmp_path_factory.mktemp("footage") / "walk.mp4"
    (adult,) = draw_adults(1, 7, varied_beyond_prior=True)
    shot = Shot(width_px=360, height_px=640, seconds=2, frames_per_second=8)
    film_person(adult, video, seed=7, shot=shot)
    return video
