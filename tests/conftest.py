"""Fixtures that every test may use."""

import os
from pathlib import Path

import jaxtyping
import pytest

if os.environ.get("VRNN_SHAPES"):
    jaxtyping.install_import_hook("vrnn", "beartype.beartype")  # shapes of arguments and results, in tests only

CHECKOUT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="session")
def data_dir() -> Path:
    """The folder of real data: VRNN_DATA, else ../shared/data beside the checkout; tests skip without it."""
    given = os.environ.get("VRNN_DATA")
    folder = Path(given) if given else CHECKOUT.parent / "shared" / "data"
    if not folder.is_dir():
        pytest.skip(f"no real data: {folder} is not a folder (set VRNN_DATA to one)")
    return folder
