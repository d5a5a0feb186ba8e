"""Graphics cards: whether the driver answers, and how much memory of them is free."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from functools import partial
from importlib.util import find_spec
from pathlib import Path

from tapeless.doctor.findings import Finding, failed, ok, unknown
from tapeless.doctor.situation import Situation
from tapeless.gpus import VISIBLE_DEVICES, Gpu, GpuError, list_candidates, read_gpus
from tapeless.needs import Card, Needs

_NAME = "graphics cards"
_TORCH = "PyTorch on CUDA"
_CUDA_SETUP = "make setup TORCH=cuda"
_PAGE = "docs/workstation.md"


def check_cards(situation: Situation) -> Iterator[Finding]:
    """The cards of this machine that jobs may take, if a job that runs asks for one."""
    on_cards = [needs for needs in situation.needs.values() if needs.card]
    if not on_cards or situation.is_elsewhere:
        return
    try:
        candidates = list_candidates()
    except ImportError as error:
        yield unknown(_NAME, f"not looked for: {error}", "make setup")
        return
    except GpuError as error:
        yield failed(_NAME, str(error), _PAGE)
        return
    named = f"{VISIBLE_DEVICES}={os.environ.get(VISIBLE_DEVICES)}"
    try:
        gpus = [gpu for gpu in read_gpus() if gpu.uuid in candidates]
    except GpuError as error:  # jobs take what is named
        yield unknown(_NAME, f"{named}; {error}", _PAGE)
        return
    if gpus:
        yield _check_memory(on_cards, gpus)
    else:
        yield unknown(_NAME, f"{named}; the memory of parts of a card is not looked at", _PAGE)


def check_torch(situation: Situation) -> Iterator[Finding]:
    """A PyTorch for cards, if one is to compute there; read from its files, as it loads slowly."""
    on_cards = [needs for needs in situation.needs.values() if needs.is_torch_on_card]
    if not on_cards:
        return
    if situation.has_own_environments:
        for needs in on_cards:
            yield _check_torch_of_environment(situation, needs)
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


def _check_torch_of_environment(situation: Situation, needs: Needs) -> Finding:
    text = (situation.project / f"envs/{needs.environment}.yaml").read_text(encoding="utf-8")
    if re.search(r"^ *- pytorch=\S*=cpu", text, flags=re.MULTILINE):
        found = "the environment that Snakemake makes has a PyTorch for CPUs"
        return failed(_TORCH, found, f"{_CUDA_SETUP}, and run without --use-conda")
    return unknown(_TORCH, f"not looked for: {situation.veil}")


def _check_memory(on_cards: Sequence[Needs], gpus: Sequence[Gpu]) -> Finding:
    found = [", ".join(f"{gpu.name} with {gpu.memory_free_mb} MB free" for gpu in gpus)]
    remedy = "end what else is on them: nvidia-smi shows it"
    free_mb = max(gpu.memory_free_mb for gpu in gpus)
    cards = {needs.name: needs.card for needs in on_cards if needs.card}
    lacking = [
        f"{name} needs {c.needed_mb} MB" for name, c in cards.items() if free_mb < c.needed_mb
    ]
    if lacking:
        return failed(_NAME, "; ".join(found + lacking), remedy)
    found += [f"how much {name} needs is not known" for name, c in cards.items() if c == Card()]
    tight = [
        f"{card.seen_with} was seen to take {card.seen_mb} MB"
        for card in cards.values()
        if free_mb < card.seen_mb
    ]
    tell = partial(unknown, remedy=remedy) if tight else ok
    return tell(_NAME, "; ".join(found + tight))
