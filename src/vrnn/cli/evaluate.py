"""`vrnn evaluate`: forecasts against what happened."""

from pathlib import Path
from typing import Literal

from vrnn.cli.data import ColumnFlags
from vrnn.cli.outputs import to_json
from vrnn.cli.runs import Json, Run, open_run
from vrnn.data.describe import describe
from vrnn.data.tracks import Tracks
from vrnn.tasks.evaluate import evaluate as compare


def evaluate(
    data: Path,
    /,
    *,
    model: Run | None = None,
    observe: int | None = None,
    horizon: int | None = None,
    samples: int = 20,
    selection: Literal["samples", "clusters", "modes"] = "samples",
    samples_per_cluster: int = 10,
    qmc: bool = False,
    temperature: float = 1.0,
    as_json: Json = False,
    seed: int = 0,
    columns: ColumnFlags = ColumnFlags(),  # noqa: B008 (frozen)
) -> None:
    """Forecast every window of DATA and compare with what happened, beside baselines.

    They are constant velocity, a random walk of the velocity and a Kalman filter.

    Args:
        data: whole tracks that were not trained on, a file or a folder of files.
        model: run folder that vrnn train wrote; None is the model that needs no training.
        observe: time steps observed; None is 8, or fewer where tracks are short.
        horizon: time steps to forecast; None is 12, or fewer where tracks are short.
        samples: futures of a window, the K of minADE and minFDE.
        selection: which K futures: samples, the centres of K clusters of samples, or the mode set
            of K futures that vrnn modes has trained.
        samples_per_cluster: samples drawn for each cluster.
        qmc: draw quasi-random samples, which repel each other, in place of independent ones.
        temperature: factor on the distances of latents and observations from their means. The NLL
            and the baselines are those of temperature 1.
        as_json: print one JSON object and nothing else.
        seed: of all noise.
        columns: of the data.
    """
    trained, tracks = open_run(model, data, columns, regular=True)
    observe, horizon = usual_window(tracks, observe, horizon)
    result = compare(
        tracks,
        model=trained,
        observe=observe,
        horizon=horizon,
        samples=samples,
        selection=selection,
        samples_per_cluster=samples_per_cluster,
        seed=seed,
        qmc=qmc,
        temperature=temperature,
    )
    print(to_json(result.to_dict()) if as_json else result.to_text())


def usual_window(tracks: Tracks, observe: int | None, horizon: int | None) -> tuple[int, int]:
    """Return the rows to observe and to forecast, in place of those that are not given."""
    if (observe is None or horizon is None) and (found := describe(tracks)).observe:
        whole = found.observe + found.horizon
        if observe is None:
            observe = found.observe if horizon is None else max(2, whole - horizon)
        return observe, max(1, whole - observe) if horizon is None else horizon
    return 8 if observe is None else observe, 12 if horizon is None else horizon
