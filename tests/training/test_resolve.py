"""The `model` argument: a model, the path of a run folder, or a refusal that says what to give."""

import numpy as np
import pytest
from tests.helpers.small_runs import walks

import vrnn
from vrnn.errors import ConfigError, RunFolderError
from vrnn.training.resolve import resolve_model

QUICK = vrnn.TrainConfig(steps=2)


def test_a_task_takes_a_model_or_its_run_folder(tmp_path):
    config = vrnn.RNNConfig(2, hidden=4)
    run = vrnn.train(walks(), config=config, training=QUICK, out=tmp_path / "run", quiet=True)
    assert resolve_model(run.model) is run.model
    expected = vrnn.forecast(walks(3), model=run.model, horizon=2, samples=3).samples
    for folder in (run.path, str(run.path)):
        found = vrnn.forecast(walks(3), model=folder, horizon=2, samples=3).samples
        np.testing.assert_array_equal(found, expected)


def test_anything_else_is_refused(tmp_path):
    config = vrnn.RNNConfig(2, hidden=4)
    run = vrnn.train(walks(), config=config, training=QUICK, quiet=True)
    with pytest.raises(ConfigError, match=r"found Run; vrnn.train returns a run"):
        vrnn.forecast(walks(3), model=run)
    with pytest.raises(ConfigError, match="path of a run folder, found VRNNConfig"):
        vrnn.score(walks(3), model=vrnn.VRNNConfig(2))
    with pytest.raises(RunFolderError, match="no such folder"):
        vrnn.generate(model=tmp_path / "none")
