"""Every way out that an error names in Python leads on, and no message is without a test."""

import ast
import re
import subprocess
import tomllib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from tests.cli import test_ways_out as command_line
from tests.helpers.changed_tracks import changed
from tests.helpers.fast_paths import needs_compiler
from tests.helpers.small_runs import QUICK, RNN
from tests.helpers.untrained_models import made, walks
from tests.helpers.ways_out import Site, heard, literals, sites, taken, takes, trees

import vrnn
from vrnn.baselines.constant_velocity import constant_velocity
from vrnn.baselines.random_walk import random_walk
from vrnn.data.batch import Batch
from vrnn.errors import VrnnError, require
from vrnn.metrics.clusters import cluster_paths
from vrnn.metrics.scores import energy_score
from vrnn.ops import build as building
from vrnn.plots import plot_tracks
from vrnn.tasks.scores import Scores
from vrnn.training.lock import locked

FILE = "id,t,x,y\n" + "".join(f"{i},{t},{i + t},{t * t}\n" for i in range(12) for t in range(8))


def refused(call: Callable[[], object]) -> str:
    """Return the message of an error, which is heard."""
    with pytest.raises((VrnnError, OSError)) as error:
        call()
    heard.append(str(error.value))
    return heard[-1]


def found(pattern: str, text: str) -> list[str]:
    """Return the groups of a pattern that a message has."""
    match = re.search(pattern, text)
    assert match, text
    return list(match.groups())


def arguments(text: str) -> dict[str, Any]:
    """Return the arguments that a message writes, as in `samples=4`."""
    return eval(f"dict({text})", {"Columns": vrnn.Columns})


def function(text: str) -> Callable[..., Any]:
    """Return the function that a message names, as in `vrnn.forecast`."""
    package, name = text.split(".")
    assert package == "vrnn" and name in vrnn.__all__
    return getattr(vrnn, name)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    (tmp_path / "walks.csv").write_text(FILE)
    return tmp_path / "walks.csv"


# data


@takes("data/io/read.py: else read it into a DataFrame, and give that to")
def test_a_format_that_pandas_reads(tmp_path: Path) -> None:
    pandas = pytest.importorskip("pandas")
    (tmp_path / "walks.xyz").write_text(FILE)
    [name] = found(
        r"else read it into a DataFrame, and give that to (\S+)$",
        refused(lambda: vrnn.read_tracks(tmp_path / "walks.xyz")),
    )
    assert len(function(name)(pandas.read_csv(tmp_path / "walks.xyz"))) == 12


@takes("trained.py: tracks or an array", "training/compatibility.py: tracks to train on")
def test_a_path_in_place_of_tracks(file: Path) -> None:
    message = refused(lambda: vrnn.score(str(file), model=made("rnn")))  # type: ignore
    [name] = found(r"read it with (\S+)$", message)
    assert vrnn.score(function(name)(file), model=made("rnn")).rows.all()
    message = refused(lambda: vrnn.train(str(file), config=RNN, training=QUICK))  # type: ignore
    [name] = found(r"read a file with (\S+)$", message)
    vrnn.train(function(name)(file), config=RNN, training=QUICK, quiet=True)


@takes("data/preprocessor.py: inputs are named after the categories found in a column")
def test_other_categories(tmp_path: Path) -> None:
    kinds = FILE.replace("\n", ",tug\n").replace("y,tug", "y,kind", 1)
    (tmp_path / "a.csv").write_text(kinds.replace(",tug", ",sub", 20))
    (tmp_path / "b.csv").write_text(kinds.replace(",tug", ",oar", 20))
    by_kind = vrnn.Columns(u=("kind",))
    tracks = vrnn.read_tracks(tmp_path / "a.csv", by_kind)
    model = vrnn.train(tracks, config=RNN, training=QUICK, quiet=True).model
    other = vrnn.read_tracks(tmp_path / "b.csv", by_kind)
    message = refused(lambda: vrnn.score(other, model=model))
    [columns] = found(r"read the data with (Columns\(.*\))$", message)
    (tmp_path / "b.csv").write_text(kinds)  # tugs alone, which leave one category out
    [columns] = arguments(f"columns={columns}").values()
    assert vrnn.score(vrnn.read_tracks(tmp_path / "b.csv", columns), model=model).rows.all()


@takes("data/resample.py: pass a step that divides all times (the shortest here is")
def test_times_between_the_steps() -> None:
    tracks = vrnn.Tracks([np.zeros((4, 2))], times=[np.array([0.0, 1.0, 1.5, 2.5])])
    shortest, name = found(
        r"\(the shortest here is (\S+)\) to (\S+), or drop",
        refused(lambda: vrnn.regular(tracks, 1.0)),
    )
    assert function(name)(tracks, float(shortest)).lengths.tolist() == [6]


@takes("data/preprocessor.py: its first point is missing, and displacements start from it")
def test_a_first_point_that_is_missing() -> None:
    model, tracks = made("rnn"), changed(walks(), "x", (1, slice(0, 2), np.nan))
    assert refused(lambda: model.batch(tracks)).endswith("drop leading gaps")
    model.batch(model.preprocessor.trim(tracks))


@takes(
    "data/tracks.py: times must be finite and rise from row to row; sort and deduplicate them",
    "data/tracks.py: write missing values as NaN or leave them empty",
    "data/tracks.py: read both with the same columns",
)
def test_arrays_that_are_no_tracks(file: Path) -> None:
    x, times = np.zeros((4, 2)), np.array([0.0, 2.0, 1.0, 1.0])
    refused(lambda: vrnn.Tracks([x], times=[times]))
    times, first = np.unique(times, return_index=True)
    vrnn.Tracks([x[first]], times=[times])
    refused(lambda: vrnn.Tracks([np.full((4, 2), np.inf)]))
    vrnn.Tracks([np.full((4, 2), np.nan)])
    one, two = (vrnn.read_tracks(file, vrnn.Columns(x=x)) for x in (("x", "y"), ("y",)))
    refused(lambda: vrnn.concatenate([one, two]))
    vrnn.concatenate([one, vrnn.read_tracks(file, vrnn.Columns(x=("x", "y")))])


@takes("data/batch.py: add the missing axis, as x[None] does for one sequence")
def test_a_batch_of_one_sequence() -> None:
    x = torch.zeros(5, 2)
    assert refused(lambda: Batch.of(x)).endswith("as x[None] does for one sequence")
    assert len(Batch.of(x[None]).x) == 1


@takes("errors.py: install it with: pip install 'vrnn[")
def test_every_extra_has_what_needs_it() -> None:
    """An extra that a message names is one of the project, and lists the package."""
    project = tomllib.loads((Path(__file__).parents[1] / "pyproject.toml").read_text())
    extras = project["project"]["optional-dependencies"]
    for path, tree in trees().items():
        for call in ast.walk(tree):
            if isinstance(call, ast.Call) and getattr(call.func, "id", "") == "require":
                module, extra = map(ast.literal_eval, call.args)
                packages = [re.split(r"\W", line)[0] for line in extras[extra]]
                assert module.split(".")[0] in packages, f"{path}: {module}"
    [extra] = found(r"pip install 'vrnn\[(\w+)\]'$", refused(lambda: require("no_module", "plot")))
    assert extra in extras


# training


@takes("training/compatibility.py: columns of x (")
def test_a_width_that_is_not_that_of_the_data(file: Path) -> None:
    tracks = vrnn.read_tracks(file)
    config = vrnn.RNNConfig(x_dim=1, hidden=8)
    wrong = lambda: vrnn.train(tracks, config=config, training=QUICK, quiet=True)  # noqa: E731
    expected, name = found(
        r"^x_dim: .* expected (\d+), found 1; set it, or map the columns with (\S+)$",
        refused(wrong),
    )
    vrnn.train(tracks, config=replace(config, x_dim=int(expected)), training=QUICK, quiet=True)
    assert name == "Columns.x"
    alone = vrnn.read_tracks(file, vrnn.Columns(x=("x",)))
    vrnn.train(alone, config=config, training=QUICK, quiet=True)


@takes("training/prepare.py: the config of that model")
def test_a_config_beside_a_start() -> None:
    start, tracks = vrnn.train(walks(12), config=RNN, training=QUICK, quiet=True).model, walks(12)
    given: dict[str, Any] = {"start": start, "training": QUICK, "quiet": True}
    other = vrnn.RNNConfig(2, hidden=4)
    message = refused(lambda: vrnn.train(tracks, config=other, **given))
    assert message.endswith("give no config")
    vrnn.train(tracks, **given)


@takes("training/resolve.py: a trained model or the path of a run folder")
def test_a_run_in_place_of_its_model() -> None:
    run = vrnn.train(walks(12), config=RNN, training=QUICK, quiet=True)
    [name] = found(r"pass its \.(\w+)$", refused(lambda: vrnn.score(walks(), model=run)))  # type: ignore
    assert vrnn.score(walks(), model=getattr(run, name)).rows.all()


@takes("training/run_folder.py: expected the run of this model, found other weights")
def test_modes_for_the_folder_of_another_run(tmp_path: Path) -> None:
    given: dict[str, Any] = {"config": RNN, "quiet": True}
    tracks, config = walks(12), vrnn.ModesConfig(count=2, horizon=2, steps=1)
    vrnn.train(tracks, training=QUICK, out=tmp_path / "run", **given)
    other = vrnn.train(tracks, training=replace(QUICK, seed=1), **given).model
    fit = lambda model: vrnn.fit_modes(  # noqa: E731
        tracks, model=model, config=config, out=tmp_path / "run", quiet=True
    )
    assert refused(lambda: fit(other)).endswith("load the model from there")
    fit(vrnn.load(tmp_path / "run"))


@takes("training/finite.py: is not finite though the loss is")
def test_a_gradient_that_is_not_finite() -> None:
    tracks = changed(walks(12), "x", (7, 4, 3e18))
    settings = replace(QUICK, batch_size=12, transform=vrnn.TransformConfig(standardise=False))
    train = lambda data: vrnn.train(data, config=RNN, training=settings, quiet=True)  # noqa: E731
    message = refused(lambda: train(tracks))
    track, name = found(r"loss of track (\w+) is not .* look at its values with (\S+),", message)
    looked = function(name)(tracks[[tracks.ids.index(track)]])
    assert max(column.high for column in looked.columns) > 1e18
    train(tracks[[i for i, one in enumerate(tracks.ids) if one != track]])


@takes("training/mode_loss.py: look at them with")
def test_validation_tracks_of_modes_that_are_far_off() -> None:
    model = vrnn.train(walks(12), config=RNN, training=QUICK, quiet=True).model
    far = changed(walks(4), "x", (2, 7, 1e39))
    config = vrnn.ModesConfig(count=2, horizon=2, steps=1)
    fit = lambda val: vrnn.fit_modes(walks(), model=model, config=config, val=val, quiet=True)  # noqa: E731
    [name] = found(r"look at them with (\S+)$", refused(lambda: fit(far)))
    assert max(column.high for column in function(name)(far).columns) == 1e39
    fit(walks(4))


@takes("training/lock.py: choose another folder")
def test_a_folder_that_cannot_be_made(tmp_path: Path) -> None:
    def lock(folder: Path) -> None:
        with locked(folder):
            pass

    (tmp_path / "file").write_text("")
    assert refused(lambda: lock(tmp_path / "file" / "run")).endswith("choose another folder")
    lock(tmp_path / "run")


# tasks


@takes("tasks/belief.py: take its first point in with", "tasks/encoded_row.py: a row of x")
def test_a_belief_without_a_point() -> None:
    model = made("rnn")
    belief = vrnn.initial_belief(model=model)
    message = refused(lambda: vrnn.forecast(belief, model=model, horizon=2, samples=2))
    [name] = found(r"take its first point in with (\S+)$", message)
    observe = function(name)
    refused(lambda: observe(None, belief=belief, model=model))
    observe(np.full(2, np.nan), belief=belief, model=model)
    belief = observe(np.zeros(2), belief=belief, model=model).belief
    vrnn.forecast(belief, model=model, horizon=2, samples=2)


@takes("tasks/encoded_row.py: leave it out for one usual step after the last")
def test_a_time_that_is_none() -> None:
    model = made("rnn")
    given: dict[str, Any] = {"belief": vrnn.initial_belief(model=model), "model": model}
    refused(lambda: vrnn.observe(np.zeros(2), time=np.nan, **given))
    vrnn.observe(np.zeros(2), **given)


@takes("tasks/observe.py: and cannot begin without a prefix")
def test_a_belief_of_a_model_that_needs_a_prefix() -> None:
    model = made("rnn", heading=True)
    message = refused(lambda: vrnn.initial_belief(model=model))
    [name] = found(r"take the belief that (\S+) returns for a prefix$", message)
    belief = function(name)(walks(), model=model, particles=2).belief
    vrnn.observe(np.zeros((6, 2)), belief=belief, model=model)


@takes("tasks/predictive.py: leave x out, and ask the result for the density of candidates")
def test_x_for_a_model_that_predicts_it() -> None:
    model = made("rnn")
    belief = vrnn.filter_tracks(walks(), model=model, particles=2).belief
    x = np.zeros((6, 2))
    refused(lambda: vrnn.predictive(belief, model=model, x=x))
    assert np.isfinite(vrnn.predictive(belief, model=model).log_prob(x)).all()


@takes("tasks/futures.py: a supervised model draws y given x of the horizon")
def test_a_forecast_of_a_belief_about_a_supervised_model() -> None:
    model, tracks = made("rnn-y"), walks(y=True)
    belief = vrnn.filter_tracks(tracks, model=model, particles=2).belief
    one, two = found(
        r"give the tracks to (\S+), or ask (\S+) for the next row, with its x$",
        refused(lambda: vrnn.forecast(belief, model=model, horizon=2)),
    )
    function(one)(tracks, model=model, horizon=2, samples=2)
    function(two)(belief, model=model, x=np.zeros((6, 2)))


@takes("tasks/filtering.py: drop tracks without observed points")
def test_a_track_without_a_point() -> None:
    model, tracks = made("rnn"), changed(walks(), "x", (2, slice(None), np.nan))
    [track] = found(r"track (\w+): .* drop tracks without", refused(lambda: filtered(tracks)))
    filtered(tracks[[i for i, one in enumerate(tracks.ids) if one != track]])
    assert model.usable(tracks).index.tolist() == [0, 1, 3, 4, 5]


def filtered(tracks: vrnn.Tracks) -> object:
    return vrnn.filter_tracks(tracks, model=made("rnn"), particles=2)


@takes("tasks/forecast.py: it says how often a prefix is filtered")
def test_a_belief_and_prefix_samples() -> None:
    model = made("rnn")
    given: dict[str, Any] = {"model": model, "horizon": 2, "samples": 2}
    belief = vrnn.filter_tracks(walks(), model=model, particles=2).belief
    assert "leave it out" in refused(lambda: vrnn.forecast(belief, prefix_samples=1, **given))
    vrnn.forecast(belief, **given)


@takes(
    "tasks/forecast.py: forecast ten times as many samples as clusters",
    "metrics/clusters.py: ; draw more samples",
    "metrics/scores.py: ; draw more samples, or pass fair=False",
)
def test_too_few_samples() -> None:
    draw = lambda samples: vrnn.forecast(  # noqa: E731
        walks(), model=made("rnn"), horizon=2, samples=samples
    )
    refused(lambda: draw(3).cluster(3))
    assert draw(30).cluster(3).samples.shape[0] == 3
    paths = np.random.default_rng(0).normal(size=(4, 1, 2, 2))
    refused(lambda: cluster_paths(paths[:1], k=2))
    cluster_paths(paths, k=2)
    message = refused(lambda: energy_score(paths[:1], paths[0]))
    [argument] = found(r"draw more samples, or pass (fair=False),", message)
    energy_score(paths, paths[0])
    assert energy_score(paths[:1], paths[0], **arguments(argument)).max() == 0.0


@takes("baselines/constant_velocity.py: observe a longer prefix")
def test_a_prefix_that_is_too_short() -> None:
    past = np.zeros((1, 3, 2))
    refused(lambda: constant_velocity(past[:, :1], 2))
    constant_velocity(past, 2)
    refused(lambda: random_walk(past[:, :2], 2))
    random_walk(past, 2)


@takes("tasks/generate.py: give them, or one value for each column")
def test_tracks_of_a_model_with_inputs() -> None:
    given: dict[str, Any] = {"model": made("rnn", u=True), "count": 2, "steps": 3}
    message = refused(lambda: vrnn.generate(**given))
    name, shape = found(r"known inputs \((\w+)\): .* shape (\(.*\)), found none", message)
    vrnn.generate(inputs=np.zeros(eval(shape)), **given)
    vrnn.generate(inputs={name: 1.0}, **given)


@takes("tasks/latent_use.py: an RNN has no latent to use", "tasks/latent_use.py: see ")
def test_the_use_of_latents() -> None:
    message = refused(lambda: vrnn.latent_use(walks(), model=made("rnn")))
    kinds = found(r"train a (\w+), (\w+) or (\w+) model$", message)
    for kind in kinds:
        vrnn.latent_use(walks(), model=made(kind), samples=1)
    short = walks().cut(stop=1)
    message = refused(lambda: vrnn.latent_use(short, model=made("vrnn")))
    assert function(*found(r"see (\S+)$", message))(short).longest == 1


@takes("tasks/evaluate_targets.py: no track has a usable row of x to evaluate on")
def test_targets_without_x() -> None:
    tracks = walks(y=True)
    empty = replace(tracks, x=[np.full_like(x, np.nan) for x in tracks.x])
    message = refused(lambda: vrnn.evaluate(empty, model=made("rnn-y"), samples=2))
    assert function(*found(r"see (\S+)$", message))(empty).incomplete == 1


@takes(
    "tasks/scores.py: a threshold is counted on normal tracks",
    "tasks/scores.py: calibration tracks for",
)
def test_a_threshold() -> None:
    given: dict[str, Any] = {"model": made("rnn")}
    message = refused(lambda: vrnn.score(walks(), **given).unusual(0.1))
    name, argument = found(r"give (\S+) normal tracks as (\w+)$", message)
    normal = function(name)(walks(), **{argument: walks(seed=1)}, **given)
    message = refused(lambda: normal.unusual(0.1))
    [share] = found(r"give more tracks, or at least (false_alarms=\S+)$", message)
    assert normal.unusual(**arguments(share)).shape == (6,)
    function(name)(walks(), **{argument: walks(20)}, **given).unusual(0.1)


@pytest.mark.parametrize("count", [1, 2, 5, 24, 30, 98])
def test_the_least_share_is_enough(count: int) -> None:
    nothing: list[np.ndarray] = []
    scores = Scores(["a"], [np.zeros(1)], [np.zeros(1)], nothing, nothing, np.arange(float(count)))
    heard.clear()
    message = refused(lambda: scores.threshold(0.001))
    [share] = found(r"or at least (false_alarms=\S+)$", message)
    scores.threshold(**arguments(share))


@takes("tasks/mixture.py: score all with one value of")
def test_a_mixture_of_scores_of_two_sorts() -> None:
    by = lambda kind: vrnn.score(walks(), model=made("rnn"), particles=2, by=kind)  # noqa: E731
    [name] = found(
        r"score all with one value of (\w+)$",
        refused(lambda: vrnn.mixture([by("density"), by("excess")])),
    )
    assert name == "by"
    vrnn.mixture([by("density"), by("density")])


# pictures and C++


@takes("plots/canvas.py: ; try ")
def test_a_picture_of_no_kind(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    draw = lambda path: plot_tracks(walks(2).x, path)  # noqa: E731
    [path] = found(r"; try (.*)$", refused(lambda: draw(tmp_path / "a.xyz")))
    assert draw(path) == tmp_path / "a.png"


@needs_compiler
@takes(
    "ops/build.py: no C++ compiler found; install one, or name it in CXX",
    "ops/build.py: chmod go-w makes it so",
)
def test_the_compiler_and_its_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = tmp_path / "tiny.cpp"
    source.write_text('extern "C" int answer() { return 42; }\n')
    monkeypatch.setattr(building, "SOURCES", [source])
    monkeypatch.delenv("CXX", raising=False)
    compiler, which = building.shutil.which("c++") or "g++", building.shutil.which
    with monkeypatch.context() as without:
        without.setattr(building.shutil, "which", lambda _: None)
        [variable] = found(r"name it in (\w+)$", refused(lambda: building.build(tmp_path / "a")))
        without.setenv(variable, compiler)
        building.build(tmp_path / "a")
    assert building.shutil.which is which
    open_to_all = tmp_path / "b"
    open_to_all.mkdir()
    open_to_all.chmod(0o777)
    [command] = found(r"(chmod go-w) makes it so$", refused(lambda: building.build(open_to_all)))
    subprocess.run([*command.split(), open_to_all], check=True)
    building.build(open_to_all)


# no message without a test

UNTESTED = {
    "cli/impute.py: ": "it replaces the way out of another error; see `puts them in`",
    "data/io/hurdat2.py: its header announces": "it says what is wrong, and how many rows to look for",
    "data/io/text_file.py: is the ending right?": "a question, with the formats that may be meant",
    "data/synthetic/crossroads.py: without noise there is no density": "it says why",
    "files.py: cannot be written (": "the way out comes from those who write, with tests of their own",
    "training/accelerator.py: train in a process of its own": (
        "tests/training/test_accelerator.py provokes it in such a process"
    ),
    "training/splits.py:  tracks": "its words stand elsewhere; see `train on whole tracks (`",
    "training/trainer.py: make room, then go on with": "see training/trackers.py, where they stand",
    "cli/parse.py: see: ": "every mistake in a flag ends with it; see those of cli/parse.py",
}
"""Messages without a test of their way out, and why."""


def covers(claim: str, site: Site) -> bool:
    file, _, words = claim.partition(": ")
    return site.file == file and words in site.text


def test_every_way_out_is_taken_by_a_test() -> None:
    """A question, such as "is it complete?", names nothing to do."""
    assert command_line.ROWS.keys() <= taken
    claims = taken | UNTESTED.keys()
    left = [s for s in sites() if not s.asks and not any(covers(claim, s) for claim in claims)]
    assert not left, "\n".join(f"{site.file}, line {site.line}: {site.text}" for site in left)


def test_every_claim_is_of_a_message() -> None:
    texts = {file: literals(file) for file in {claim.partition(": ")[0] for claim in taken}}
    for claim in sorted(taken):
        file, _, words = claim.partition(": ")
        assert any(words in text for text in texts[file]), claim
    every = sites()
    for claim in UNTESTED:
        assert any(covers(claim, site) for site in every), claim


def test_the_guard_finds_a_message_without_a_test() -> None:
    """Of all sites it knows those of `hint=` and those after a semicolon."""
    every = {(site.file, site.way_out) for site in sites()}
    assert ("training/compatibility.py", "switch one of the two off") in every
    assert ("data/io/npz.py", " give every track its own") in every
    assert ("training/resume.py", "delete it to start the run again") in every
