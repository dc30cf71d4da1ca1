"""`vrnn evaluate`: forecasts against what happened."""

from pathlib import Path
from typing import Literal

from vrnn.cli.data import ColumnFlags
from vrnn.cli.outputs import to_json
from vrnn.cli.runs import Json, Run, open_run
from vrnn.tasks.evaluate import evaluate as compare


def evaluate(
    data: Path,
    /,
    *,
    model: Run | None = None,
    observe: int = 8,
    horizon: int = 12,
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
        observe: time steps observed.
        horizon: time steps to forecast.
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
