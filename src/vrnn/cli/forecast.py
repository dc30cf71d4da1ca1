"""`vrnn forecast`: sampled futures of tracks."""

from pathlib import Path
from typing import Literal

from tyro.conf import FlagCreatePairsOff, Positional

from vrnn.cli.data import ColumnFlags
from vrnn.cli.outputs import check_outputs
from vrnn.cli.runs import open_run
from vrnn.errors import ConfigError
from vrnn.tasks.evaluate import POOL
from vrnn.tasks.forecast import forecast as draw
from vrnn.tasks.modes import predict_modes


def forecast(
    run: Positional[Path],
    data: Positional[Path],
    *,
    out: Path,
    horizon: int | None = None,
    samples: int | None = None,
    representative: int | None = None,
    learned: FlagCreatePairsOff[bool] = False,
    plot: Path | None = None,
    inputs: Literal["hold"] | None = None,
    qmc: FlagCreatePairsOff[bool] = False,
    states: int | None = None,
    temperature: float = 1.0,
    seed: int = 0,
    columns: ColumnFlags = ColumnFlags(),  # noqa: B008 (frozen)
) -> None:
    """Sample joint futures of every track in DATA, which holds what was observed so far.

    Args:
        run: run folder that vrnn train wrote.
        data: prefixes, a file or a folder of files; of a supervised model, x to the end of the horizon.
        out: table to write, .csv, .parquet or .npz: id, sample, step, t and one column a dimension.
        horizon: rows to forecast; None is 12, or all that were learned.
        samples: futures of each track; None is 20, or ten for each representative.
        representative: write this many typical futures with their weights in place of all samples.
        learned: write the futures that vrnn modes has taught the run, with their probabilities; nothing is sampled.
        plot: picture to write, .png, .pdf or .svg.
        inputs: hold carries the last known inputs on; needed by models that have any.
        qmc: quasi-random paths, that repel each other, in place of independent ones.
        states: draws of the state that a prefix leaves, shared by its paths; None is one a path. 1 reads every prefix once.
        temperature: what distances of latents and observations of the horizon from their means are multiplied by.
        seed: of all noise.
        columns: of the data.
    """
    check_outputs(out, plot)
    if learned and (samples, representative, states, qmc, temperature) != (
        None,
        None,
        None,
        False,
        1.0,
    ):
        raise ConfigError(
            "learned representatives are drawn from no samples: leave samples, representative, states, qmc and temperature"
        )
    count = (
        samples if samples is not None else 20 if representative is None else POOL * representative
    )
    if representative is not None and not 1 <= representative < count:
        raise ConfigError(
            f"expected fewer representatives than samples and at least 1, found {representative} of {count} samples"
        )
    model, tracks = open_run(run, data, columns)
    ahead = 12 if horizon is None else horizon
    if learned:
        result = predict_modes(model, tracks, horizon, inputs)
    else:
        result = draw(
            model,
            tracks,
            ahead,
            count,
            seed,
            inputs,
            qmc=qmc,
            states=states,
            temperature=temperature,
        )
    if representative is not None:
        result = result.cluster(representative, seed)
    result.save(out)
    print(
        f"{out}: {len(result.samples)} futures of {result.samples.shape[2]} rows for each of {len(tracks)} tracks"
    )
    if plot is not None:
        result.plot(plot)
        print(f"{plot}: picture of the first of them")
