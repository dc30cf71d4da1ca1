"""The environment chooses the device of a training, and changes no number."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from vrnn.errors import ConfigError
from vrnn.training.accelerator import SHARDED, make_accelerator

CHECKOUT = Path(__file__).parents[2]
TRAIN = """
import torch, vrnn
from tests.helpers.small_runs import QUICK, RNN, walks
from vrnn.training.weights import weights_digest
torch.set_num_threads(1)
run = vrnn.train(walks(), config=RNN, training=QUICK, quiet=True)
print(weights_digest(run.model.network), run.history[-1]["loss"])
"""
OWN = """
from accelerate import Accelerator
Accelerator(mixed_precision="bf16")
"""


def output(script: str, **variables: str) -> str:
    """Return what a program prints in an environment of its own."""
    environment = {k: v for k, v in os.environ.items() if not k.startswith("ACCELERATE_")}
    done = subprocess.run(
        [sys.executable, "-c", script],
        capture_output=True, text=True, cwd=CHECKOUT, env={**environment, **variables},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_environment_changes_no_number():
    everything = {
        "MIXED_PRECISION": "bf16",
        "GRADIENT_ACCUMULATION_STEPS": "4",
        "DYNAMO_BACKEND": "inductor",
        "DYNAMO_MODE": "max-autotune",
        "DOWNCAST_BF16": "true",
        "USE_CPU": "true",
    }
    asked = output(TRAIN, **{f"ACCELERATE_{name}": value for name, value in everything.items()})
    assert asked == output(TRAIN)


def test_a_precision_that_the_process_has_chosen_is_refused():
    script = OWN + (
        "import vrnn; from tests.helpers.small_runs import QUICK, RNN, walks\n"
        "try: vrnn.train(walks(), config=RNN, training=QUICK, quiet=True)\n"
        "except vrnn.errors.ConfigError as error: print(error)"
    )
    said = output(script)
    assert said.startswith("this process has an accelerator of other settings: ")
    assert "mixed_precision='no'" in said and said.count("\n") == 1


@pytest.mark.parametrize("name", SHARDED)
def test_a_model_in_shards_is_refused_in_one_line(name, monkeypatch):
    monkeypatch.setenv(f"ACCELERATE_USE_{name}", "true")
    with pytest.raises(ConfigError, match=f"ACCELERATE_USE_{name}: training has a whole model"):
        make_accelerator()
