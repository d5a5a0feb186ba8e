"""All checks, at once and each for a limited time: one that fails or hangs harms no other."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from threading import Thread

from tapeless.containers import remove_leftovers
from tapeless.doctor.body_model import check_body_model
from tapeless.doctor.cards import check_cards, check_torch
from tapeless.doctor.containers import check_containers
from tapeless.doctor.disk import check_disk, check_results, check_videos
from tapeless.doctor.findings import Finding, Verdict, unknown
from tapeless.doctor.media import check_media
from tapeless.doctor.opengl import check_opengl
from tapeless.doctor.situation import Situation
from tapeless.doctor.software import check_packages, check_profile, check_python, check_snakemake
from tapeless.doctor.weights import check_weights


@dataclass(frozen=True)
class Check:
    """A question to the machine; `name` stands in the table if it has no answer in time."""

    name: str
    find: Callable[[Situation], Iterable[Finding]]
    limit_s: float = 30.0


CHECKS = (
    Check("videos", check_videos),
    Check("Python", check_python),
    Check("packages", check_packages),
    Check("Snakemake", check_snakemake),
    Check("profile", check_profile),
    Check("ffmpeg", check_media, limit_s=60.0),
    Check("OpenGL", check_opengl),
    Check("body model", check_body_model),
    Check("PyTorch on CUDA", check_torch),
    Check("graphics cards", check_cards),
    Check("containers", check_containers, limit_s=300.0),  # an image of gigabytes is hashed once
    Check("weights", check_weights, limit_s=300.0),
    Check("results", check_results),
    Check("disk space", check_disk),
)
"""In the order of the table."""


def examine(situation: Situation, checks: Sequence[Check] = CHECKS) -> list[Finding]:
    """What all checks find, in their order; it raises nothing and always ends."""
    asked = [_Asked(check, situation) for check in checks]
    return [finding for one in asked for finding in one.findings()]


def find_obstacles(situation: Situation) -> list[Finding]:
    """What would make jobs fail, looked for just before they start; what cannot be told does not.

    What killed jobs left behind is removed first: it may still hold a card's memory.
    """
    clear_leftovers(situation)
    return [finding for finding in examine(situation) if finding.verdict is Verdict.FAILED]


def clear_leftovers(situation: Situation) -> None:
    """Ends what killed jobs left behind in containers, if jobs use any; it raises nothing."""
    examine(situation, [Check("leftovers", _remove_leftovers)])


def _remove_leftovers(situation: Situation) -> Iterable[Finding]:
    if situation.programs and not situation.is_elsewhere:
        remove_leftovers()
    return ()


@dataclass
class _Asked:
    """A check at work, in a thread that cannot keep the process from ending."""

    check: Check
    situation: Situation
    _found: list[Finding] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._deadline_s = time.monotonic() + self.check.limit_s
        self._thread = Thread(target=self._find, daemon=True)
        self._thread.start()

    def findings(self) -> list[Finding]:
        self._thread.join(max(0.0, self._deadline_s - time.monotonic()))
        found = list(self._found)
        if self._thread.is_alive():
            found.append(unknown(self.check.name, f"no answer in {self.check.limit_s:.0f} s"))
        return found

    def _find(self) -> None:
        try:
            for finding in self.check.find(self.situation):
                self._found.append(finding)
        except Exception as error:  # noqa: BLE001 - a check that breaks tells nothing about the run
            text = f"could not be checked: {type(error).__name__}: {error}"
            self._found.append(unknown(self.check.name, text))
