"""Every edit of config.json loads or is one clear line; sizes are checked before memory is taken."""

import json
import resource
import shutil
import sys
import time
import warnings
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from tests.helpers.edited_runs import DELETED, RUNS, VALUES, edited, places, train_run
from tests.helpers.few import few

import vrnn
from vrnn.cli.runs import trained_columns
from vrnn.errors import ConfigError, RunFolderError, VrnnError
from vrnn.models.registry import REGISTRY, make_model
from vrnn.training.stored_run import check_shapes

PARTS = ("model", "training", "preprocessor")
SLOW = 5.0  # seconds, after which an edit counts as a hang
MEMORY = 500_000  # kB that may be added to the peak


def peak() -> float:
    """Return the most memory that this process has had, in kB."""
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most / 1024 if sys.platform == "darwin" else most


@pytest.fixture(scope="module")
def folders(tmp_path_factory) -> dict[str, Path]:
    """A small run of each kind."""
    folder = tmp_path_factory.mktemp("runs")
    return {name: train_run(name, folder / name) for name in RUNS}


@pytest.mark.filterwarnings("ignore::RuntimeWarning")  # of numbers near the largest
@pytest.mark.parametrize("part", [*PARTS, "rest"])
@pytest.mark.parametrize("name", few(RUNS))
def test_every_edit_loads_or_is_one_line(name, part, folders, tmp_path):
    """What loads forecasts too, or is refused by the forecast."""
    if part == "training" and name != "rollout":
        pytest.skip("the settings of training are those of another run")
    folder = shutil.copytree(folders[name], tmp_path / "run")
    config = {
        **json.loads((folder / "config.json").read_text()),
        "columns": {"id": "id", "t": None},
    }
    chosen = [path for path in places(config) if (path[0] if path[0] in PARTS else "rest") == part]
    tracks, before = RUNS[name][0], peak()
    loaded = refused = 0
    for path in chosen:
        for value in VALUES:
            what = f"{path} = {'deleted' if value is DELETED else repr(value)[:40]}"
            (folder / "config.json").write_text(json.dumps(edited(config, path, value)))
            started = time.perf_counter()
            try:
                model = vrnn.load(folder)
                trained_columns(folder, model)
                loaded += 1
            except RunFolderError as error:
                refused += 1
                line = str(error)
                assert str(folder) in line and len(line.splitlines()) == 1, (what, line)
                assert len(line) < 700 and line.isprintable(), (what, line)
            except Exception as error:
                raise AssertionError(what) from error
            else:
                try:
                    inputs = "hold" if name == "vrnn" else None
                    with warnings.catch_warnings():
                        warnings.simplefilter("ignore", vrnn.VrnnWarning)  # of another time step
                        vrnn.forecast(tracks, model=model, horizon=2, samples=2, inputs=inputs)
                except VrnnError as error:
                    assert len(str(error).splitlines()) == 1, (what, str(error))
                except Exception as error:
                    raise AssertionError(f"{what}, in a forecast") from error
            assert time.perf_counter() - started < SLOW, what
    assert refused > 5 * len(chosen) and (loaded or part == "rest")
    assert peak() - before < MEMORY


CONFIGS: dict[str, Any] = {name: row.config(x_dim=2, hidden=6) for name, row in REGISTRY.items()}
CONFIGS["autoencoding"] = vrnn.RolloutVAEConfig(2, hidden=6, task="autoencoding", dynamics="driven")
CONFIGS["lstm"] = vrnn.VRNNConfig(
    2, hidden=6, cell="lstm", depth=3, latent="gaussian+categorical(4)"
)
CONFIGS["nade"] = vrnn.RNNConfig(4, hidden=6, emission="nade(5)")
CONFIGS["supervised"] = vrnn.VRNNConfig(2, y_dim=3, hidden=6, supervised="conditional")


def shapes_of(config: Any) -> dict[str, tuple[int, ...]]:
    """Return the shapes of the weights of a model."""
    return {name: tuple(value.shape) for name, value in make_model(config).state_dict().items()}


@pytest.mark.parametrize("name", CONFIGS)
def test_shapes_of_every_model_are_known_without_its_weights(name):
    """Wrapped or not. One weight more, one less or one of another shape is named."""
    config, shapes = CONFIGS[name], shapes_of(CONFIGS[name])
    make, settings = partial(make_model, config), asdict(config)
    check_shapes(shapes, settings, make)
    check_shapes({f"inner.{key}": shape for key, shape in shapes.items()}, settings, make)
    key, shape = next(iter(shapes.items()))
    for wrong in (
        {**shapes, key: (*shape, 1)},
        {k: v for k, v in shapes.items() if k != key},
        {**shapes, "more": (1,)},
    ):
        with pytest.raises(ConfigError, match=f"{'more' if 'more' in wrong else key}: expected"):
            check_shapes(wrong, settings, make)


def test_no_memory_is_taken_for_sizes_that_the_weights_do_not_have():
    """The model would take 480 GB, and its width is less than the number of weights."""
    large = vrnn.RNNConfig(2, hidden=200_000)
    shapes = {"weight": (1_000_000,)}
    before = peak()
    with pytest.raises(ConfigError, match=r"expected shape \(200000,\), found none"):
        check_shapes(shapes, asdict(large), partial(make_model, large))
    assert peak() - before < MEMORY


@pytest.mark.parametrize(
    "change",
    [{"x_dim": 10**9}, {"hidden": 10**6}, {"depth": 10**5}, {"emission": "mixture(123456789)"}],
)
def test_numbers_beyond_those_of_the_weights_are_refused_before_a_model_is_made(change):
    def never():
        raise AssertionError("a model was made")

    config = vrnn.RNNConfig(2, hidden=6)
    with pytest.raises(ConfigError, match=f"{next(iter(change))}: expected at most"):
        check_shapes(shapes_of(config), {**asdict(config), **change}, never)
