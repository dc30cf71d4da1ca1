"""Commands on notes and on packed rolls."""

import json

import numpy as np
from tests.helpers.piano_rolls import KEYS, roll

from vrnn.cli.main import main
from vrnn.data.io import Columns, read_tracks
from vrnn.training.run_folder import load


def test_a_run_on_notes(tmp_path, capsys):
    rng = np.random.default_rng(0)
    pieces = [[rng.integers(40, 80, 4).tolist() for _ in range(24)] for _ in range(12)]
    path = tmp_path / "a.json"
    path.write_text(json.dumps({"train": pieces, "test": pieces[:2]}))
    assert main(["doctor", str(path), "--group", "train"]) == 0
    said = capsys.readouterr().out
    assert "key21 to key108 (88 columns, observed): 0 or 1" in said
    assert "--emission bernoulli" in said
    small = ["--hidden", "4", "--latent-dim", "2", "--steps", "1", "--batch-size", "4"]
    out = str(tmp_path / "r")
    words = ["train", str(path), "--group", "train", "--emission", "bernoulli", "--out", out]
    assert main([*words, *small]) == 0
    preprocessor = load(tmp_path / "r").preprocessor
    assert preprocessor.transform.given == 0, "every row of a track without displacements is scored"
    batch, _ = preprocessor.batch(read_tracks(path, group="test"))
    assert batch.x.shape == (2, 24, 88)
    assert batch.x.unique().tolist() == [0, 1]
    words = ["forecast", str(path), "--model", out, "--group", "test"]
    words += ["--horizon", "2", "--samples", "2"]
    assert main([*words, "--out", str(tmp_path / "f.csv")]) == 0
    assert read_tracks(tmp_path / "f.csv", Columns(x=KEYS, t=None)).x_dim == 88


def test_a_run_on_a_folder(tmp_path, capsys):
    folder = tmp_path / "pieces"
    folder.mkdir()
    np.savez(folder / "a.npz", x=np.packbits(roll(), axis=1), length=[3, 1])
    assert main(["doctor", str(folder), "--format", "piano-roll"]) == 0
    assert "key21 to key108" in capsys.readouterr().out
    assert main(["doctor", str(folder)]) == 2
    assert "piano-roll" in capsys.readouterr().err
