"""Where nets compute: on the processor, or on a GPU where there is one and the work is worth its start.

On a processor a layer's activations stay in a core's cache, and threads share the rows. A GPU is given large blocks by one
thread, and what is computed of them stays there until it is summed. The limits are from published peaks, not measured on a GPU.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np

from dlx.errors import DlxError
from dlx.threads import in_chunks

if TYPE_CHECKING:
    import torch
    from torch import nn

Array = Any  # of numpy, or of torch where that is on an accelerator
DEVICES = ("auto", "cpu", "cuda")
PROCESSORS = ("cpu",)
WORTH_A_START = 2**38  # products of a net's weights from which "auto" takes a GPU: some 20 s of a core, CUDA's start some 5
WORTH_A_STEP = 2**24  # a step of training: below it the calls of a GPU's kernels cost more than a core's products
EVALUATIONS_OF_A_PAGE = 2**20  # of a net, by a report or an audit
NUMBERS_AT_ONCE = 2**26  # that keep a GPU busy: 256 MB of activations
COPIES = 8  # of them that are held at a time


class DeviceError(DlxError):
    """A device that there is not."""


def place_of(device: str, products: float = np.inf, *, least: float = WORTH_A_START) -> str:
    """Return where a net computes, "cpu" or "cuda"; "auto" is the GPU, where there is one, from so many products on."""
    if device not in DEVICES:
        raise DeviceError(f"device must be one of {', '.join(DEVICES)}, got {device!r}")
    if device == "cpu" or (device == "auto" and products < least):
        return "cpu"
    import torch

    if torch.cuda.is_available():
        return "cuda"
    if device == "cuda":
        raise DeviceError("device 'cuda' needs a GPU that torch can use, and there is none; pass 'cpu' or 'auto'")
    return "cpu"


def is_accelerator(device: torch.device) -> bool:
    """Return whether a device is not the processor: it is given large blocks, by one thread."""
    return device.type not in PROCESSORS


@cache
def prepared(device: torch.device) -> None:
    """Use a device's linear algebra once: torch initialises it lazily, which fails where several threads are the first."""
    import torch

    if is_accelerator(device):
        torch.linalg.cholesky(torch.eye(2, dtype=torch.float64, device=device))


def numbers_at_once(device: torch.device) -> int:
    """Return how many numbers of a layer an accelerator is given at a time: fewer where its memory is short."""
    import torch

    free = torch.cuda.mem_get_info(device)[0] if device.type == "cuda" else np.inf
    return int(min(NUMBERS_AT_ONCE, free // (4 * COPIES)))


def in_blocks(
    function: Callable[[np.ndarray], np.ndarray],
    rows: np.ndarray,
    size: int,
    device: torch.device,
    numbers: Callable[[], int],
) -> np.ndarray:
    """Return a function of rows: `size` of them at a time on all cores, or as many as an accelerator holds by one thread.

    `numbers` returns how many are held of a row.
    """
    if not is_accelerator(device):
        return in_chunks(function, rows, size)
    return in_chunks(function, rows, max(1, numbers_at_once(device) // numbers()), is_alone=True)


def widest(network: nn.Module) -> int:
    """Return the most numbers that a layer of a network gives of a row, as far as its weights tell."""
    return max((length for weight in network.parameters() for length in weight.shape[:2]), default=1)


def beside(other: Array, array: np.ndarray) -> Array:
    """Return an array as the other is: of numpy, or of torch, on its device."""
    return array if isinstance(other, np.ndarray) else other.new_tensor(array)


def as_numpy(array: Array) -> np.ndarray:
    """Return an array of numpy, or of torch on any device, as one of numpy."""
    return array if isinstance(array, np.ndarray) else array.cpu().numpy()


def columns(parts: Sequence[Array]) -> Array:
    """Return arrays of as many rows side by side, all of numpy or all of torch."""
    if isinstance(parts[0], np.ndarray):
        return np.concatenate(parts, axis=1)
    import torch

    return torch.cat(list(parts), dim=1)
