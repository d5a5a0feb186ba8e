"""A device "cuda" for torch on machines that have none, to see what would run on a graphics card.

Its tensors are those of the CPU, marked. Every call of torch comes by here, and is refused where
CUDA refuses it: tensors of two devices in one operation, an index on the card into a tensor that is
not, a conversion to numpy. It shows where tensors are, and nothing of CUDA's own arithmetic.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode
from torch.utils._pytree import tree_leaves, tree_map


class CardTensor(Tensor):
    """A tensor on the pretended card."""


class PretendedCard(TorchFunctionMode):
    """While it is entered, `device="cuda"` is the pretended card; `calls` counts what ran there."""

    def __init__(self) -> None:
        super().__init__()
        self.calls = 0

    def __torch_function__(
        self,
        function: Callable[..., Any],
        types: Sequence[type],
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        with torch._C.DisableTorchFunctionSubclass():
            name = function.__name__
            given = dict(kwargs or {})
            is_on_card = _decide(name, args, given)
            self.calls += is_on_card
            if function == Tensor.device.__get__:
                return torch.device("cuda" if is_on_card else "cpu")
            if "device" in given:
                given["device"] = "cpu"
            result = function(*tree_map(_unmarked, args), **tree_map(_unmarked, given))
            if name == "__iter__":
                result = list(result)
            if is_on_card:
                result = tree_map(_marked, result)
            return iter(result) if name == "__iter__" else result


def _decide(name: str, args: Sequence[Any], kwargs: Mapping[str, Any]) -> bool:
    """Whether the result is on the card; raises what CUDA raises."""
    tensors = [leaf for leaf in tree_leaves((args, kwargs)) if isinstance(leaf, Tensor)]
    on_card = [isinstance(tensor, CardTensor) for tensor in tensors]
    if name in ("numpy", "__array__") and on_card[0]:
        raise TypeError("can't convert cuda:0 device type tensor to numpy")
    if name == "cpu":
        return False
    if name == "to":
        goal = args[1]
        return on_card[1] if isinstance(goal, Tensor) else str(goal).startswith("cuda")
    if kwargs.get("device") is not None:
        return str(kwargs["device"]).startswith("cuda")
    if name in ("__getitem__", "__setitem__") and on_card[0]:
        return True  # its indices may be on either
    if any(on_card) and not all(on_card):
        raise RuntimeError(f"{name}: expected all tensors to be on the same device")
    return any(on_card)


def _marked(value: Any) -> Any:
    return value.as_subclass(CardTensor) if isinstance(value, Tensor) else value


def _unmarked(value: Any) -> Any:
    return value.as_subclass(Tensor) if isinstance(value, CardTensor) else value
