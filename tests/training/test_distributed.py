"""Two processes compute what one does."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from tests.helpers.small_runs import SETTINGS, walks

import vrnn
from vrnn.training.resume import load_state

CONFIGS = {
    "rnn": vrnn.RNNConfig(2, hidden=8),
    "seq2seq": vrnn.Seq2SeqVAEConfig(2, hidden=8, latent_dim=3),
    "rollout": vrnn.RolloutVAEConfig(2, hidden=8, latent_dim=3, dynamics="driven"),
    "rollout-autoencoding": vrnn.RolloutVAEConfig(2, hidden=8, latent_dim=3, task="autoencoding"),
    "vrnn": vrnn.VRNNConfig(2, hidden=8, latent_dim=3),
    "dmm": vrnn.DMMConfig(2, hidden=8, latent_dim=3),
    "srnn": vrnn.SRNNConfig(2, hidden=8, latent_dim=3),
    "storn": vrnn.STORNConfig(2, hidden=8, latent_dim=3),
}


def run(name: str, out: Path):
    """Train one model; 7 sequences a step do not divide by two."""
    settings = vrnn.TrainConfig(
        **{**SETTINGS.__dict__, "steps": 6, "validate_every": 3, "observe": 3}
    )
    return vrnn.train(walks(), config=CONFIGS[name], training=settings, out=out, quiet=True)


@pytest.mark.slow
def test_two_processes_give_the_losses_of_one(tmp_path):
    command = [
        sys.executable,
        "-m",
        "torch.distributed.run",
        "--nproc_per_node",
        "2",
        "--standalone",
        "--no-python",
    ]
    script = [sys.executable, __file__, str(tmp_path / "two")]
    environment = {
        **os.environ,
        "OMP_NUM_THREADS": "1",
        "ACCELERATE_USE_CPU": "true",
        "PYTHONPATH": os.pathsep.join(
            [str(Path(__file__).parents[2]), os.environ.get("PYTHONPATH", "")]
        ),
    }
    done = subprocess.run(
        [*command, *script], env=environment, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    assert json.loads((tmp_path / "two" / "processes.json").read_text()) == 2
    for name in CONFIGS:
        one = run(name, tmp_path / "one" / name)
        two = [
            json.loads(line)
            for line in (tmp_path / "two" / name / "metrics.jsonl").read_text().splitlines()
        ]
        assert len(two) == len(one.history)
        for a, b in zip(two, one.history, strict=True):
            assert a.keys() == b.keys()
            for key in a.keys() - {"seconds"}:
                assert a[key] == pytest.approx(b[key], rel=2e-5, abs=1e-6), (name, a["step"], key)
        weights = load_state(tmp_path / "two" / name).model
        for key, value in load_state(tmp_path / "one" / name).model.items():
            torch.testing.assert_close(weights[key], value, rtol=1e-4, atol=1e-6)


if __name__ == "__main__":
    import time

    from accelerate import Accelerator

    torch.set_num_threads(1)
    accelerator = Accelerator()
    out = Path(sys.argv[1])
    if accelerator.is_main_process:
        out.mkdir()
        (out / "processes.json").write_text(json.dumps(accelerator.num_processes))
    accelerator.wait_for_everyone()
    for name in CONFIGS:
        if not accelerator.is_main_process:
            time.sleep(0.2)  # the second process comes to the folder when the first has begun
        run(name, out / name)
