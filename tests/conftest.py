"""Fixtures that every test may use."""

import os
from pathlib import Path

import jaxtyping
import pytest
import torch

# The tests' tensors are small: a second thread only waits, and on a busy machine for long.
torch.set_num_threads(1)

# Types and shapes of every call in these layers are checked on request: it takes twice as long.
CORE = ("models", "ops", "inference", "fastpath", "objectives", "distributions")
if os.environ.get("VRNN_SHAPES"):
    jaxtyping.install_import_hook([f"vrnn.{name}" for name in CORE], "beartype.beartype")

CHECKOUT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="session")
def data_dir() -> Path:
    """The folder of real data: VRNN_DATA, else ../shared/data beside the checkout; tests skip without it."""
    given = os.environ.get("VRNN_DATA")
    folder = Path(given) if given else CHECKOUT.parent / "shared" / "data"
    if not folder.is_dir():
        pytest.skip(f"no real data: {folder} is not a folder (set VRNN_DATA to one)")
    return folder
