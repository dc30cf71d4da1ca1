"""The processes and the device of a training, whatever else the environment says to accelerate."""

import os
import threading

from accelerate import Accelerator
from accelerate.utils import GradientAccumulationPlugin

from vrnn.errors import ConfigError

SHARDED = ("DEEPSPEED", "FSDP", "MEGATRON_LM", "PARALLELISM_CONFIG")
"""What `ACCELERATE_USE_...` may ask for and no training here can do."""
_MAKING = threading.Lock()


def make_accelerator() -> Accelerator:
    """Return the accelerator of this process, which computes in full precision.

    Of the variables `ACCELERATE_...` only those count that choose a device. Others would change
    numbers: `MIXED_PRECISION`, `GRADIENT_ACCUMULATION_STEPS` and `DYNAMO_BACKEND`.

    Raises:
        ConfigError: another precision that this process has chosen, or a model in shards.
    """
    for name in SHARDED:
        if os.environ.get(f"ACCELERATE_USE_{name}", "").lower() in ("true", "1", "yes"):
            raise ConfigError(
                "training has a whole model in each process",
                where=f"ACCELERATE_USE_{name}",
                expected="false",
                found=os.environ[f"ACCELERATE_USE_{name}"],
            )
    with _MAKING:  # accelerate keeps one state for all threads
        try:
            return Accelerator(
                mixed_precision="no",
                dynamo_backend="no",
                gradient_accumulation_plugin=GradientAccumulationPlugin(num_steps=1),
            )
        except ValueError as error:
            raise ConfigError(
                ("this process has an accelerator of other settings: ", error),
                hint="train in a process of its own",
            ) from error
