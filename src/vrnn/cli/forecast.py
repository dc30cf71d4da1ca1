"""`vrnn forecast`: sampled futures of tracks."""

from importlib.util import find_spec
from pathlib import Path
from typing import Literal

from vrnn.cli.data import ColumnFlags
from vrnn.cli.outputs import check_outputs
from vrnn.cli.runs import Run, open_run
from vrnn.data.io.write import table_writer
from vrnn.data.wording import plural
from vrnn.errors import ConfigError, Setting
from vrnn.tasks.forecast import forecast as draw
from vrnn.tasks.forecast import forecast_parts
from vrnn.tasks.modes import predict_modes

SAMPLES_PER_CLUSTER = 10
TABLE, PICTURE = Path("forecast.csv"), Path("forecast.png")


def forecast(
    data: Path,
    /,
    *,
    model: Run | None = None,
    out: Path | None = None,
    horizon: int | None = None,
    samples: int | None = None,
    clusters: int | None = None,
    modes: bool = False,
    plot: Path | None = None,
    inputs: Literal["hold"] | None = None,
    qmc: bool = False,
    prefix_samples: int | None = None,
    temperature: float = 1.0,
    seed: int = 0,
    columns: ColumnFlags = ColumnFlags(),  # noqa: B008 (frozen)
) -> None:
    """Sample joint futures of every track in DATA, which holds what was observed so far.

    Args:
        data: prefixes, a file or a folder of files; of a supervised model, x to the end of the
            horizon.
        model: run folder that vrnn train wrote; None is the model that needs no training.
        out: table to write, .csv, .parquet or .npz: id, sample, step, t and one column a dimension.
            None is forecast.csv here, with a picture beside it, where no such files are yet.
        horizon: time steps to forecast; None is 12, or with --modes all that the modes have.
        samples: futures of each track; None is 20, or ten for each cluster.
        clusters: write the centres of this many clusters of the samples, with their weights.
        modes: write the mode set that vrnn modes has trained, with its probabilities. Nothing is
            sampled.
        plot: picture to write, .png, .pdf or .svg.
        inputs: hold carries the last known inputs on; models with inputs need it.
        qmc: draw quasi-random paths, which repel each other, in place of independent ones.
        prefix_samples: samples of the state after a prefix, which its paths share; None is one a
            path. 1 reads every prefix once.
        temperature: factor on the distances of latents and observations from their means.
        seed: of all noise.
        columns: of the data.
    """
    if out is None:
        out, plot = _usual_outputs(plot)
    check_outputs(out, plot=plot, data=[data], runs=[model])
    if modes:
        _refuse_sampling(samples, clusters, prefix_samples, qmc, temperature)
    count = 20 if clusters is None else SAMPLES_PER_CLUSTER * clusters
    count = count if samples is None else samples
    if clusters is not None and not 1 <= clusters < count:
        raise ConfigError(
            setting="clusters",
            expected="at least 1 and less than the samples",
            found=f"{clusters} of {count} samples",
        )
    trained, tracks = open_run(model, data, columns, regular=True, last=True)
    sampling = {
        "model": trained,
        "horizon": 12 if horizon is None else horizon,
        "samples": count,
        "seed": seed,
        "inputs": inputs,
        "qmc": qmc,
        "prefix_samples": prefix_samples,
        "temperature": temperature,
    }
    if modes:
        every = iter([predict_modes(tracks, model=trained, horizon=horizon, inputs=inputs)])
    elif clusters is not None:
        every = iter([draw(tracks, **sampling).cluster(clusters, seed=seed)])
    else:
        every = forecast_parts(tracks, **sampling)
    first = next(every)
    number = len(first.history)
    with table_writer(out, first.history.origin) as writer:
        writer.append(first.to_columns())
        for part in every:
            writer.append(part.to_columns())
            number += len(part.history)
    futures, ahead = len(first.samples), first.samples.shape[2]
    print(f"{out}: {futures} futures of {ahead} time steps for {plural(number, 'track')}")
    if plot is not None:
        first.plot(plot)
        print(f"{plot}: picture of the first of them")


def _usual_outputs(plot: Path | None) -> tuple[Path, Path | None]:
    """Return the files to write where none is named: a table, and a picture if one can be drawn.

    Raises:
        ConfigError: one of them is there already.
    """
    usual = [TABLE]
    if plot is None and find_spec("matplotlib") is not None:
        plot = PICTURE
        usual.append(PICTURE)
    for path in usual:
        if path.exists():
            raise ConfigError(
                "the file is there already",
                where=path,
                hint=("name another with ", Setting("out"), " or remove it"),
            )
    return TABLE, plot


def _refuse_sampling(
    samples: int | None,
    clusters: int | None,
    prefix_samples: int | None,
    qmc: bool,
    temperature: float,
) -> None:
    """Refuse the flags of sampling beside `--modes`."""
    given = {
        "samples": samples is not None,
        "clusters": clusters is not None,
        "prefix_samples": prefix_samples is not None,
        "qmc": qmc,
        "temperature": temperature != 1,
    }
    for name in (name for name, is_given in given.items() if is_given):
        raise ConfigError(
            "a mode set is predicted, not sampled",
            hint=("leave ", Setting(name), " or ", Setting("modes"), " out"),
        )
