"""What a job used of its graphics cards; the cards are made up."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from cards import Cards, make_cards

JOB = """
import sys, time
from pathlib import Path
from tapeless.gpu_usage import record_gpu_usage
with record_gpu_usage(Path(sys.argv[1])) as meter:
    for card in sys.argv[2:]:
        with meter.watch([card]):
            time.sleep(0.7)
"""


@pytest.fixture(scope="module")
def cards(tmp_path_factory: pytest.TempPathFactory) -> Cards:
    return make_cards(tmp_path_factory.mktemp("cards"), 2)


def record(cards: Cards, file: Path, *ids: str, **environment: str) -> dict[str, object]:
    """What a job writes down that uses cards one after the other."""
    command = [sys.executable, "-c", JOB, str(file), *ids]
    subprocess.run(command, env=cards.environment | environment, check=True)
    facts: dict[str, object] = json.loads(file.read_text(encoding="utf-8"))
    return facts


def test_memory_and_utilisation_of_the_jobs_cards_are_written_down(cards: Cards, tmp_path: Path):
    cards.use(a=12288, b=6144)
    facts = record(cards, tmp_path / "estimate_shape/anna.gpu.json", *cards.uuids)
    assert 1.4 < float(str(facts.pop("wall_time_s"))) < 30
    assert facts.pop("gpu_utilisation_percent") == pytest.approx(37.5, abs=13)  # 50 %, then 25 %
    assert facts == {"gpus": sorted(cards.uuids), "gpu_memory_peak_mb": 12288}


def test_a_driver_that_does_not_answer_is_no_reason_to_fail(cards: Cards, tmp_path: Path):
    facts = record(cards, tmp_path / "anna.gpu.json", cards.uuids[0], STANDIN_GPUS="/none")
    assert facts["gpu_memory_peak_mb"] is None
    assert facts["gpu_utilisation_percent"] is None
