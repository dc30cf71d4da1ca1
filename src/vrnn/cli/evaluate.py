"""`vrnn evaluate`: forecasts against what happened."""

from pathlib import Path
from typing import Annotated

from tyro.conf import FlagCreatePairsOff, Positional, arg

from vrnn.cli.data import ColumnFlags
from vrnn.cli.outputs import to_json
from vrnn.cli.runs import open_run
from vrnn.errors import ConfigError
from vrnn.tasks.evaluate import POOL
from vrnn.tasks.evaluate import evaluate as score


def evaluate(
    run: Positional[Path],
    data: Positional[Path],
    *,
    observe: int = 8,
    horizon: int = 12,
    samples: int = 20,
    representative: FlagCreatePairsOff[bool] = False,
    learned: FlagCreatePairsOff[bool] = False,
    pool: int = POOL,
    qmc: FlagCreatePairsOff[bool] = False,
    temperature: float = 1.0,
    as_json: Annotated[FlagCreatePairsOff[bool], arg(name="json")] = False,
    seed: int = 0,
    columns: ColumnFlags = ColumnFlags(),  # noqa: B008 (frozen)
) -> None:
    """Forecast every window of DATA and compare with what happened, constant velocity beside.

    Args:
        run: run folder that vrnn train wrote.
        data: whole tracks, a file or a folder of files, not those of the training.
        observe: rows known.
        horizon: rows to forecast.
        samples: futures a window, the K of minADE and minFDE.
        representative: best of K representatives in place of K plain samples.
        learned: best of the K that vrnn modes has taught the run.
        pool: samples drawn for each representative.
        qmc: quasi-random samples, that repel each other, in place of independent ones.
        temperature: of the futures: distances of latents and observations from their means are multiplied by it. The NLL is the model's at 1.
        as_json: print one JSON object and nothing else.
        seed: of all noise.
        columns: of the data.
    """
    if learned and (representative or qmc or temperature != 1):
        raise ConfigError(
            "learned representatives are drawn from no samples: leave representative, qmc and temperature"
        )
    model, tracks = open_run(run, data, columns)
    result = score(
        model,
        tracks,
        observe,
        horizon,
        samples,
        "learned" if learned else representative,
        seed,
        pool,
        qmc=qmc,
        temperature=temperature,
    )
    print(to_json(result.to_dict()) if as_json else result.to_text())
