"""Run folders, edited or damaged in any way, give a model that works or one line."""

import json
import shutil
import warnings
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import strategies as st
from tests.helpers.edited_runs import (
    RUNS,
    VALUES,
    edited,
    places,
    settings_of,
    train_run,
)
from tests.helpers.fuzz import check_message, fuzz, in_memory

import vrnn
from vrnn.cli.runs import trained_columns
from vrnn.errors import RunFolderError, VrnnError

MEMORY = 1 << 29
"""Bytes that a run folder may take, whatever stands in it."""


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A small run of each kind."""
    folder = tmp_path_factory.mktemp("runs")
    return {name: train_run(name, folder / name) for name in RUNS}


LEAVES = st.one_of(
    st.none(), st.booleans(), st.integers(-3, 12), st.integers(), st.floats(), st.text(max_size=4),
    st.sampled_from(["lat", "lon", "speed", "gaussian", "categorical(3)", "mixture(2)", "full_gaussian", "km", "rnn", "vrnn", "srnn"]),
)  # fmt: skip
JSON = st.recursive(
    LEAVES, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner)
)
FACTORS = st.sampled_from([-1, 0.5, 2, 3, 1e-3, 1e3, 1e-30, 1e30, 1e300])
EDITS = st.lists(
    st.tuples(
        st.integers(0, 10**4),
        st.booleans(),
        st.one_of(st.sampled_from(VALUES), LEAVES, JSON),
        FACTORS,
    ),
    min_size=1,
    max_size=4,
)


def entry(config: Any, path: tuple) -> Any:
    """Return an entry of a JSON value."""
    for key in path:
        config = config[key]
    return config


def use(name: str, folder: Path) -> None:
    """Load a run and draw from it."""
    with in_memory(MEMORY), warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # of numbers near the largest
        model = vrnn.load(folder)
        trained_columns(folder, model)
        inputs: Any = "hold" if name == "vrnn" else None
        found = vrnn.forecast(RUNS[name][0], model=model, horizon=2, samples=2, inputs=inputs)
    assert np.isfinite(found.samples).all()


def check_used(name: str, folder: Path, tried: Counter[str]) -> None:
    """Check that a run works, or is refused in one line that names the folder or the setting."""
    try:
        use(name, folder)
        tried["run folders used"] += 1
    except VrnnError as error:
        check_message(error)
        assert not isinstance(error, RunFolderError) or str(folder) in str(error)
        tried["run folders refused"] += 1


@fuzz(name=st.sampled_from(sorted(RUNS)), edits=EDITS, share=0.5)
def test_edited_configs(name, edits, folders: dict[str, Path], tried: Counter[str]) -> None:
    """Up to four entries of config.json changed together."""
    path = folders[name] / "config.json"
    text = path.read_text()
    try:
        config = json.loads(text)
        for number, multiply, value, factor in edits:
            # of numbers, a multiple is what loads most often
            found = [
                path
                for path in places(config)
                if not multiply or type(entry(config, path)) in (int, float)
            ]
            if found:
                place = found[number % len(found)]
                value = entry(config, place) * factor if multiply else value
                config = edited(config, place, value)
                tried["edits of config.json"] += 1
        path.write_text(json.dumps(config))
        check_used(name, folders[name], tried)
    finally:
        path.write_text(text)


BYTES = st.lists(
    st.tuples(st.floats(0, 1), st.binary(max_size=4), st.integers(0, 4)), min_size=1, max_size=3
)
FILES = ("config.json", "model.safetensors", "metrics.jsonl", "training.safetensors")


@fuzz(
    name=st.sampled_from(sorted(RUNS)), file=st.sampled_from(FILES), changes=BYTES, share=0.2, few=8
)
def test_damaged_files(name, file, changes, folders: dict[str, Path], tried: Counter[str]) -> None:
    """Bytes changed, lost or added in any file; the run is used and resumed."""
    folder = shutil.copytree(folders[name], folders[name].with_name("damaged"))
    try:
        raw = (folder / file).read_bytes()
        for where, new, lost in changes:
            # the header of safetensors, where most is said, stands in the first bytes
            at = int(where * len(raw)) if where > 0.5 else int(where * min(len(raw), 1200))
            raw = raw[:at] + new + raw[at + lost :]
            tried["edits of bytes"] += 1
        (folder / file).write_bytes(raw)
        check_used(name, folder, tried)
        tracks, config, _ = RUNS[name]
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", RuntimeWarning)
            try:
                vrnn.train(
                    tracks,
                    config=config,
                    training=settings_of(name),
                    out=folder,
                    resume=True,
                    quiet=True,
                )
            except VrnnError as error:
                check_message(error)
    finally:
        shutil.rmtree(folder)
