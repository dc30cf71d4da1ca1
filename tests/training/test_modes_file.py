"""The mode set of a run folder."""

import json
import shutil
from dataclasses import replace

import numpy as np
import pytest
from safetensors import safe_open
from safetensors.torch import save_file
from tests.helpers.forking_walks import MODELS, SMALL, TRAINING, forks

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


@pytest.fixture(scope="module")
def fitted(tmp_path_factory):
    """A run with a mode set."""
    run = tmp_path_factory.mktemp("modes") / "run"
    model = vrnn.train(forks(30, 0), config=MODELS["vrnn"], training=TRAINING, out=run, quiet=True)
    vrnn.fit_modes(forks(30, 0), model=model.model, config=SMALL, out=run, quiet=True)
    return run


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"width": 10**12}, "width: expected at most"),
        ({"dim": "2"}, "modes.dim: expected a whole number, found '2'"),
        ({"dim": 0}, "dim: expected a whole number of at least 1"),
        ({"dim": None}, "modes.dim: expected a whole number, found None"),
        ({"config": {"count": 10**9}}, "count: expected at most"),
        ({"config": {"hidden": 3}}, "trunk.0.0.weight: expected shape"),
        ({"config": {"colour": 1}}, "modes.config: unknown settings: colour"),
        ({"model": 5}, "modes.model: expected a text"),
        ({"more": 5}, "modes: unknown settings: more"),
    ],
)
def test_settings_that_do_not_fit_the_weights_are_one_line(fitted, tmp_path, change, message):
    run = shutil.copytree(fitted, tmp_path / "run")
    with safe_open(run / MODES, "pt") as stored:
        tensors = {name: stored.get_tensor(name) for name in stored.keys()}  # noqa: SIM118
        said = json.loads(stored.metadata()["modes"])
    inner = {**said["config"], **change.get("config", {})}
    save_file(tensors, run / MODES, {"modes": json.dumps({**said, **change, "config": inner})})
    with pytest.raises(RunFolderError, match=message) as error:
        vrnn.load(run)
    assert "\n" not in str(error.value) and str(run / MODES) in str(error.value)
    save_file(tensors, run / MODES)
    with pytest.raises(RunFolderError, match="damaged, or of another version"):
        vrnn.load(run)
