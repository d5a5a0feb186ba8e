"""Whether SHAPY works with its weights, told by its log: it goes on without them, or with a part.

What it says, and what its network is made of: regressor/human_shape/utils/checkpointer.py and
regressor/human_shape/models of SHAPY.
"""

from __future__ import annotations

import logging
import re
from pathlib import Path

from tapeless.shape.shapy_files import ShapyError

log = logging.getLogger(__name__)

_LOADED = re.compile(r"Loading checkpoint from (.+)!")
_NOT_LOADED = "No checkpoint found"
_ABSENT = re.compile(r"The following keys were not found: (.*)")
_KEY = re.compile(r"'([^']+)'")

_TRAINED_PARTS = ("backbone", "regressor")
_NOT_TRAINED = ("num_batches_tracked", "mean_param")
"""Of these parts, what is not learnt: a count that only training uses, and the mean body, which is
put together from files."""


class WeightsWatch:
    """Hears from SHAPY's log which weights it has loaded, and what they lack."""

    def __init__(self, wanted: Path) -> None:
        """`wanted` are the right weights, as SHAPY sees them."""
        self._wanted = str(wanted)
        self._has_loaded = False

    def hear(self, line: str) -> None:
        """Takes in a line of the log.

        Raises:
            ShapyError: at once, if SHAPY goes on without its weights or a part of them.
        """
        if match := _LOADED.search(line):
            self._has_loaded = match[1] == self._wanted
        if _NOT_LOADED in line or (match and not self._has_loaded):
            raise self._error(f"its log says: {line}")
        if absent := _ABSENT.search(line):
            self._judge_absent(absent[1])

    def require(self) -> None:
        """Makes sure, at the end of the log, that the weights were loaded.

        Raises:
            ShapyError: if the log says nothing of them.
        """
        if not self._has_loaded:
            raise self._error("its log says nothing of any")

    def _judge_absent(self, listed: str) -> None:
        """What the weights lack stays as SHAPY began with it: random, if it is learnt.

        The body model, means and landmarks come from files, so weights may well lack them, as the
        published ones of ExPose do, on which SHAPY is built (vchoutas/expose issue 7). But these
        are few, and a line of the log holds their list: a longer one has something else.
        """
        learnt = [key for key in _KEY.findall(listed) if _is_learnt(key)]
        if learnt:
            raise self._error(f"what it has learnt is not all in them, such as {learnt[0]}")
        if not listed.rstrip().endswith("]"):
            raise self._error("they lack so much that its log does not hold the list")
        log.warning("SHAPY's weights lack what it takes from its other files: %s", listed)

    def _error(self, why: str) -> ShapyError:
        return ShapyError(
            f"SHAPY did not load its weights, {self._wanted}: {why}. Without them its bodies mean "
            "nothing, so none was kept. Check that the download is whole, and that the image is "
            "built as containers/shapy/README.md says."
        )


def _is_learnt(key: str) -> bool:
    """By the path of a tensor in the network."""
    parts = key.split(".")
    return parts[0] in _TRAINED_PARTS and parts[-1] not in _NOT_TRAINED
