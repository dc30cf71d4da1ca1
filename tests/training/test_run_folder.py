"""Run folders: what is written is read back, and every way to break one is refused in words."""

import ast
import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

import vrnn
from vrnn.errors import RunFolderError
from vrnn.files import whole_file
from vrnn.training.run_folder import VERSION, read_config

MODEL = vrnn.VRNNConfig(2, hidden=8, latent_dim=3)
PICKLES = {"pickle", "dill", "cloudpickle", "shelve", "marshal", "joblib"}
SETTINGS = vrnn.TrainConfig(steps=4, validate_every=2, batch_size=8, window=6)


def tracks() -> vrnn.Tracks:
    return vrnn.Tracks([np.random.default_rng(i).normal(size=(12, 2)).cumsum(0) for i in range(20)])


@pytest.fixture(scope="module")
def finished(tmp_path_factory) -> Path:
    """A finished run of a small VRNN."""
    out = tmp_path_factory.mktemp("runs") / "a"
    vrnn.train(tracks(), config=MODEL, training=SETTINGS, out=out, quiet=True)
    return out


@pytest.fixture
def folder(finished, tmp_path) -> Path:
    """A copy of it, to break."""
    shutil.copytree(finished, tmp_path / "run")
    return tmp_path / "run"


def test_run_folder_holds_no_pickle(folder):
    names = {p.name for p in folder.iterdir()}
    assert names == {"config.json", "model.safetensors", "training.safetensors", "metrics.jsonl"}
    for name in ("model.safetensors", "training.safetensors"):
        load_file(folder / name)


def test_loaded_model_is_the_trained_one(folder):
    run = vrnn.train(tracks(), config=MODEL, training=SETTINGS, quiet=True)
    loaded = vrnn.load(folder)
    assert loaded.config == run.model.config and loaded.training == SETTINGS.to_dict()
    assert loaded.preprocessor == run.model.preprocessor and not loaded.network.training
    for name, value in run.model.network.state_dict().items():
        assert torch.equal(value, loaded.network.state_dict()[name])


def test_the_kalman_filter_is_kept_and_older_runs_have_none(folder):
    run = vrnn.train(tracks(), config=MODEL, training=SETTINGS, quiet=True)
    assert vrnn.load(folder).kalman == run.model.kalman is not None
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    del config["kalman"]
    (folder / "config.json").write_text(json.dumps(config), encoding="utf-8")
    assert vrnn.load(folder).kalman is None
    found = vrnn.evaluate(tracks(), model=folder, observe=4, horizon=3, samples=3)
    assert found.kalman_fit == "observed rows" and "kalman" in found.baselines


def test_loading_leaves_the_global_generator_alone(folder):
    torch.manual_seed(0)
    expected = torch.rand(1)
    torch.manual_seed(0)
    vrnn.load(folder)
    assert torch.equal(torch.rand(1), expected)


def edit(folder: Path, *keys: str, value) -> None:
    """Change one entry of config.json; a value of None takes it out."""
    config = json.loads((folder / "config.json").read_text())
    part = config
    for key in keys[:-1]:
        part = part[key]
    if value is None:
        del part[keys[-1]]
    else:
        part[keys[-1]] = value
    (folder / "config.json").write_text(json.dumps(config))


def widen(folder: Path) -> None:
    weights = load_file(folder / "model.safetensors")
    save_file({**weights, "h0": torch.zeros(9)}, folder / "model.safetensors")


def spoil(folder: Path) -> None:
    weights = load_file(folder / "model.safetensors")
    save_file({**weights, "h0": torch.full((8,), torch.nan)}, folder / "model.safetensors")


BREAKAGES = {
    "no folder": (shutil.rmtree, "expected a run folder written by vrnn.train; no such folder"),
    "no config": (lambda f: (f / "config.json").unlink(), "it has no config.json"),
    "no weights": (lambda f: (f / "model.safetensors").unlink(), "has no model.safetensors.*resume=True"),
    "garbage config": (lambda f: (f / "config.json").write_text("{'a':"), "not a config that vrnn wrote"),
    "empty config": (lambda f: (f / "config.json").write_text(""), "not a config that vrnn wrote"),
    "config of something else": (lambda f: (f / "config.json").write_text("[1]"), "not a config that vrnn wrote"),
    "deeply nested config": (lambda f: (f / "config.json").write_text("[" * 100_000), "values nested too deeply"),
    "a number that is none": (lambda f: (f / "config.json").write_text('{"version": NaN}'), "not finite: NaN"),
    "a very long number": (lambda f: (f / "config.json").write_text(f'{{"version": {"9" * 5000}}}'), "not a config that vrnn wrote"),
    "weights that are no numbers": (
        lambda f: save_file({"a": torch.zeros(2, dtype=torch.int64)}, f / "model.safetensors"), "expected a to hold floating-point numbers"
    ),
    "weights that are not finite": (spoil, "expected h0 to hold finite numbers, found NaN or infinity"),
    "config that is no text": (lambda f: (f / "config.json").write_bytes(b"\xff\xfe\x00"), "not a config that vrnn wrote"),
    "another version": (lambda f: edit(f, "version", value=99), r"another version of vrnn \(expected version 3, found 99\); train again"),
    "unknown model": (lambda f: edit(f, "model", "architecture", value="tcn"), "expected an architecture among .*'tcn'"),
    "unknown setting": (lambda f: edit(f, "model", "heads", value=8), "model: unknown settings: heads"),
    "absent setting": (lambda f: edit(f, "model", "x_dim", value=None), "settings that this version does not know"),
    "bad emission": (lambda f: edit(f, "model", "emission", value="cauchy"), "found 'cauchy'"),
    "unknown training setting": (lambda f: edit(f, "training", "luck", value=1), "training: unknown settings: luck"),
    "bad training setting": (lambda f: edit(f, "training", "steps", value=-1), "steps: expected a whole number of at least 1, found -1"),
    "no preprocessor": (lambda f: edit(f, "preprocessor", value=None), "absent settings: preprocessor"),
    "damaged preprocessor": (lambda f: edit(f, "preprocessor", "transform", value=7), "settings that this version does not know"),
    "no model part": (lambda f: edit(f, "model", value={}), "expected an architecture among .*None"),
    "truncated weights": (lambda f: os.truncate(f / "model.safetensors", 500), "damaged or truncated"),
    "empty weights": (lambda f: os.truncate(f / "model.safetensors", 0), "damaged or truncated"),
    "weights of another shape": (widen, r"do not fit config.json beside it .*h0"),
    "weights of another width": (lambda f: edit(f, "model", "hidden", value=9), "do not fit config.json beside it"),
    "weights of another model": (
        lambda f: save_file({"a": torch.zeros(2)}, f / "model.safetensors"), "do not fit config.json beside it"
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", BREAKAGES)
def test_broken_run_folders_are_refused(folder, name):
    breakage, message = BREAKAGES[name]
    breakage(folder)
    with pytest.raises(RunFolderError, match=message) as error:
        vrnn.load(folder)
    assert str(folder) in str(error.value) and "\n" not in str(error.value)


OLD = """{
  "format": 1,
  "model": {"kind": "vrnn", "x_dim": 2, "hidden": 8, "latent_dim": 3},
  "training": {"steps": 4, "average": 0.0, "clip": 1.0, "kernel": "auto"},
  "encoding": {"frame": {"displacement": true}},
  "data": "0123456789abcdef"
}"""


def test_folders_of_older_versions_are_refused(folder):
    (folder / "config.json").write_text(OLD)
    message = "found a run folder of another version of vrnn (expected version 3, found 1)"
    with pytest.raises(RunFolderError) as error:
        vrnn.load(folder)
    assert str(error.value) == f"{folder}: {message}; train again into another folder"
    with pytest.raises(RunFolderError, match=r"of another version of vrnn .*; train again"):
        vrnn.train(tracks(), config=MODEL, training=SETTINGS, out=folder, resume=True)


def test_the_version_is_written_and_kept(folder):
    assert read_config(folder)["version"] == VERSION


KILLED_WHILE_WRITING = """
import os, signal, sys
from vrnn.files import whole_file
from vrnn.training.run_folder import VERSION, read_config
with whole_file(sys.argv[1]) as temporary:
    temporary.write_bytes(b"half of the new")
    os.kill(os.getpid(), signal.SIGKILL)
"""


def test_kill_while_writing_leaves_the_old_file(tmp_path):
    path = tmp_path / "a.bin"
    path.write_bytes(b"the old one")
    done = subprocess.run([sys.executable, "-c", KILLED_WHILE_WRITING, str(path)])
    assert done.returncode == -signal.SIGKILL and path.read_bytes() == b"the old one"


def test_error_while_writing_leaves_the_old_file_and_no_litter(tmp_path):
    path = tmp_path / "a.bin"
    path.write_bytes(b"the old one")
    with pytest.raises(ZeroDivisionError), whole_file(path) as temporary:
        temporary.write_bytes(b"half of the new")
        raise ZeroDivisionError
    assert path.read_bytes() == b"the old one" and list(tmp_path.iterdir()) == [path]


def test_a_tilde_is_the_home_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    run = vrnn.train(tracks(), config=MODEL, training=SETTINGS, out="~/run", quiet=True)
    assert run.path == tmp_path / "run" and (tmp_path / "run" / "config.json").is_file()
    modes = vrnn.ModesConfig(count=2, horizon=2, steps=1)
    vrnn.fit_modes(tracks(), model="~/run", config=modes, out="~/run", quiet=True)
    assert vrnn.load("~/run").modes is not None
    assert vrnn.forecast(tracks(), model="~/run", horizon=2, samples=2).samples.shape[2] == 2


def test_nothing_is_unpickled_or_run():
    """In all of the package: no pickle, no torch.load, no eval, and NumPy without pickled objects."""
    forbidden, found = {"eval", "exec", "compile", "__import__"}, []
    for path in sorted(Path(vrnn.__file__).parent.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import | ast.ImportFrom):
                names = [alias.name for alias in node.names] + [getattr(node, "module", "") or ""]
                found += [(path, name) for name in names if name.partition(".")[0] in PICKLES]
            if not isinstance(node, ast.Call):
                continue
            called = ast.unparse(node.func)
            if called in forbidden or called in ("torch.load", "np.fromfile", "joblib.load"):
                found.append((path, called))
            if called == "np.load":
                keywords = {k.arg: ast.unparse(k.value) for k in node.keywords}
                assert keywords.get("allow_pickle") == "False", path
    assert not found
