"""Run folders that cannot be used, and tasks that a model has no meaning for."""

import json
import shutil

import pytest
from tests.cli.conftest import fill

COMMANDS = {
    "forecast": "{folder}/prefix.csv --model {run} --out {out}/f.csv",
    "generate": "--model {run} --out {out}/g.csv",
    "evaluate": "{folder}/walks.csv --model {run}",
    "encode": "{folder}/walks.csv --model {run} --out {out}/e.csv",
    "score": "{folder}/walks.csv --model {run} --out {out}/s.csv",
    "impute": "{folder}/holed.csv --model {run} --out {out}/i.csv",
    "reliability": "{folder}/walks.csv --model {run}",
    "modes": "{folder}/walks.csv --model {run}",
    "likelihood": "{folder}/walks.csv --model {run}",
}


@pytest.fixture
def copy(runs, tmp_path):
    return shutil.copytree(runs["vrnn"], tmp_path / "copy")


def change(run, **entries):
    config = json.loads((run / "config.json").read_text())
    (run / "config.json").write_text(json.dumps({**config, **entries}))


@pytest.mark.parametrize("command", COMMANDS)
def test_bad_run(command, folder, tmp_path, copy, fails):
    def line_of(run):
        return f"{command} {fill(COMMANDS[command], run=run, folder=folder, out=tmp_path)}"

    assert "no such folder" in fails(line_of(tmp_path / "none"))
    assert "no config.json" in fails(line_of(folder))
    weights = (copy / "model.safetensors").read_bytes()
    for broken in (weights[: len(weights) // 2], weights[:4], b""):
        (copy / "model.safetensors").write_bytes(broken)
        assert "truncated" in fails(line_of(copy))
    (copy / "model.safetensors").unlink()
    assert "no model.safetensors" in fails(line_of(copy))
    (copy / "model.safetensors").write_bytes(weights)
    change(copy, model={"architecture": "vrnn", "x_dim": 2, "colour": "red"})
    assert "colour" in fails(line_of(copy))
    change(copy, version=99)
    assert "found 99" in fails(line_of(copy))
    (copy / "config.json").write_text("{")
    assert "not a config" in fails(line_of(copy))


def test_refused_tasks(folder, tmp_path, runs, fails):
    out = tmp_path / "out.csv"
    assert "--task autoencoding" in fails("generate", "--model", runs["rollout"], "--out", out)
    assert "no latent" in fails(
        "encode", folder / "walks.csv", "--model", runs["rnn"], "--out", out
    )
    assert "supervised" in fails("generate", "--model", runs["supervised"], "--out", out)
    assert "vrnn.generate" in fails("generate", "--model", runs["inputs"], "--out", out)
    assert "cannot fill gaps" in fails(
        "impute", folder / "holed.csv", "--model", runs["rollout"], "--out", out
    )
