"""The mode set of a run folder."""

import json
from dataclasses import replace

import numpy as np
import pytest
from safetensors import safe_open
from tests.training.forks import MODELS, SMALL, TRAINING, forks

import vrnn
from vrnn.errors import RunFolderError
from vrnn.training.modes_file import MODES
from vrnn.training.weights import copy_weights, save_weights


def test_they_are_kept_in_the_run_folder(tmp_path):
    tracks, run = forks(30, 0), tmp_path / "run"
    trained = vrnn.train(
        tracks, config=MODELS["vrnn"], training=TRAINING, out=run, quiet=True
    ).model
    assert vrnn.load(run).modes is None
    learned = vrnn.fit_modes(tracks, model=trained, config=SMALL, out=run, quiet=True)
    prefix = tracks[:3].cut(stop=5)
    loaded = vrnn.load(run)
    assert loaded.modes.config == SMALL
    assert np.array_equal(
        vrnn.predict_modes(prefix, model=loaded).samples,
        vrnn.predict_modes(prefix, model=learned).samples,
    )
    path = run / MODES
    with safe_open(path, "pt") as stored:
        assert json.loads(stored.metadata()["modes"])["config"]["count"] == 4
    other = vrnn.train(
        tracks, config=MODELS["vrnn"], training=replace(TRAINING, seed=1), quiet=True
    ).model
    with pytest.raises(RunFolderError, match="expected the run of this model, found other weights"):
        vrnn.fit_modes(tracks, model=other, config=SMALL, out=run, quiet=True)
    save_weights(run, copy_weights(other.network))
    with pytest.raises(RunFolderError, match="fitted to other weights of the model"):
        vrnn.load(run)
    save_weights(run, copy_weights(trained.network))
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(RunFolderError, match="fit the modes again or delete the file"):
        vrnn.load(run)
    with pytest.raises(RunFolderError, match="expected a run folder"):
        vrnn.fit_modes(tracks, model=trained, config=SMALL, out=tmp_path / "none", quiet=True)
    assert not (tmp_path / "none").exists()
