"""Weights as named tensors: copied, compared, and kept in model.safetensors."""

import hashlib
import os
import re
from pathlib import Path

from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from vrnn.errors import RunFolderError, Setting
from vrnn.files import whole_file

Tensors = dict[str, Tensor]
REPEAT = ("repeat the training with ", Setting("resume", True))
"""What a message advises where the weights of a run are not there or damaged."""


def copy_weights(model: nn.Module) -> Tensors:
    """Return a model's weights as tensors of their own, which later steps do not change."""
    return {name: value.detach().cpu().clone() for name, value in model.state_dict().items()}


def weights_digest(model: nn.Module) -> str:
    """Return a digest of a model's weights."""
    digest = hashlib.sha256()
    for name, value in sorted(copy_weights(model).items()):
        digest.update(name.encode() + value.contiguous().numpy().tobytes())
    return digest.hexdigest()[:16]


def save_tensors(path: Path, tensors: Tensors, metadata: dict[str, str] | None = None) -> None:
    """Write a safetensors file, whole or not at all.

    Raises:
        DataError: a place that cannot be written.
    """
    with whole_file(path) as temporary:
        try:
            save_file(tensors, temporary, metadata=metadata)
        except SafetensorError as error:  # the number of the system's error is in its text alone
            number = re.search(r"os error (\d+)", str(error))
            words = (int(number[1]), os.strerror(int(number[1]))) if number else (str(error),)
            raise OSError(*words) from error


def save_weights(folder: Path, weights: Tensors) -> None:
    """Write model.safetensors."""
    save_tensors(folder / "model.safetensors", weights)


def load_weights(folder: Path) -> Tensors:
    """Return the weights in model.safetensors.

    Raises:
        RunFolderError: no file, or a damaged one.
    """
    path = folder / "model.safetensors"
    if not path.is_file():
        raise RunFolderError(
            "the run has no model.safetensors; training was stopped before its first validation",
            where=folder,
            hint=REPEAT,
        )
    try:
        weights = load_file(path)
        check_floats(weights)
    except (SafetensorError, OSError, ValueError) as error:
        raise RunFolderError(
            f"damaged or truncated ({error})", where=path, hint=("restore the file, or ", REPEAT)
        ) from error
    return weights


def check_floats(tensors: Tensors) -> None:
    """Refuse tensors of whole numbers, of complex ones or of bits, and numbers that are not finite.

    Raises:
        ValueError: names the tensor.
    """
    for name, value in tensors.items():
        if not value.is_floating_point():
            raise ValueError(f"expected {name} to hold floating-point numbers, found {value.dtype}")
        if not value.isfinite().all():
            raise ValueError(f"expected {name} to hold finite numbers, found NaN or infinity")
