"""Graphics cards: whether the driver answers, and how much memory of them is free."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

from tapeless.doctor.findings import Finding, failed, ok, unknown
from tapeless.doctor.situation import Situation
from tapeless.gpus import VISIBLE_DEVICES, Gpu, GpuError, read_gpus

OPENPOSE_MB = 1600
"""What OpenPose needs free on a card (its doc/installation/0_index.md); SHAPY states nothing."""
OPENPOSE_WITHOUT_CUDNN_MB = 5000
"""What was reported of builds without cuDNN, as containers/openpose is (openpose issue 1859)."""

_NAME = "graphics cards"
_TORCH = "PyTorch on CUDA"
_CUDA_SETUP = "make setup TORCH=cuda"
_PAGE = "docs/workstation.md"


def check_cards(situation: Situation) -> Iterator[Finding]:
    """The cards of this machine, if a job that runs asks for one."""
    if not situation.rules_on_cards or situation.is_elsewhere:
        return
    try:
        cards = read_gpus()
    except ImportError as error:
        yield unknown(_NAME, f"not looked for: {error}", "make setup")
        return
    except GpuError as error:
        if os.environ.get(VISIBLE_DEVICES):  # then jobs take what it names
            yield unknown(_NAME, f"{VISIBLE_DEVICES}={os.environ[VISIBLE_DEVICES]}; {error}", _PAGE)
        else:
            yield failed(_NAME, str(error), _PAGE)
        return
    if not cards:
        yield failed(_NAME, "the driver finds none: see nvidia-smi -L", _PAGE)
        return
    yield _check_memory(situation, cards)


def check_torch(situation: Situation) -> Iterator[Finding]:
    """A PyTorch for cards, if Anny's fit is to use one; read from its files, as it loads slowly."""
    shape = situation.config["shape"]
    if (
        shape["device"] != "cuda"
        or shape["backend"] != "anny"
        or not situation.runs("estimate_shape")
    ):
        return
    if situation.has_own_environments:
        yield _check_torch_of_environment(situation)
        return
    torch = find_spec("torch")
    if situation.veil or torch is None or torch.origin is None:
        yield unknown(_TORCH, f"not looked for: {situation.veil or 'PyTorch is not installed'}")
        return
    text = Path(torch.origin).with_name("version.py").read_text(encoding="utf-8")
    cuda = re.search(r"^cuda\b.*?= *(?:'(.+?)'|None)", text, flags=re.MULTILINE)
    if cuda is None:
        yield unknown(_TORCH, "PyTorch does not say what it was built for")
    elif cuda[1] is None:
        yield failed(_TORCH, "this PyTorch is for CPUs", _CUDA_SETUP)
    else:
        yield ok(_TORCH, f"built for CUDA {cuda[1]}")


def _check_torch_of_environment(situation: Situation) -> Finding:
    text = (situation.project / "envs/anny.yaml").read_text(encoding="utf-8")
    if re.search(r"^ *- pytorch=\S*=cpu", text, flags=re.MULTILINE):
        found = "the environment that Snakemake makes has a PyTorch for CPUs"
        return failed(_TORCH, found, f"{_CUDA_SETUP}, and run without --use-conda")
    return unknown(_TORCH, f"not looked for: {situation.veil}")


def _check_memory(situation: Situation, cards: list[Gpu]) -> Finding:
    found = ", ".join(f"{card.name} with {card.memory_free_mb} MB free" for card in cards)
    remedy = "end what else is on them: nvidia-smi shows it"
    if "openpose" in situation.programs and situation.config["pose"]["openpose"]["gpu"]:
        free_mb = max(card.memory_free_mb for card in cards)
        if free_mb < OPENPOSE_MB:
            return failed(_NAME, f"{found}; OpenPose needs {OPENPOSE_MB} MB", remedy)
        if free_mb < OPENPOSE_WITHOUT_CUDNN_MB:
            found += f"; OpenPose without cuDNN was seen to take {OPENPOSE_WITHOUT_CUDNN_MB} MB"
            return unknown(_NAME, found, remedy)
    if "shapy" in situation.programs:
        found += "; how much SHAPY needs is not known"
    return ok(_NAME, found)
