"""Programs for which permissions count, even where the tests run as root."""

import ctypes
import os
import subprocess
import sys
from pathlib import Path

import pytest

PR_CAPBSET_DROP, CAP_DAC_OVERRIDE = 24, 1  # of linux/prctl.h and linux/capability.h


def run_bound(words: list[object], folder: Path, **variables: str) -> subprocess.CompletedProcess:
    """Run a Python program in a folder, without the right of root to write everywhere."""
    is_root = hasattr(os, "geteuid") and os.geteuid() == 0
    if is_root and sys.platform != "linux":
        pytest.skip("root may write everywhere")

    def give_up() -> None:
        if ctypes.CDLL(None).prctl(PR_CAPBSET_DROP, CAP_DAC_OVERRIDE, 0, 0, 0):
            os._exit(77)

    done = subprocess.run(
        [sys.executable, *map(str, words)],
        capture_output=True,
        text=True,
        cwd=folder,
        env={**os.environ, **variables},
        preexec_fn=give_up if is_root else None,
    )
    if done.returncode == 77:
        pytest.skip("root keeps its rights here")
    return done
