"""`vrnn likelihood`: how probable tracks are."""

from pathlib import Path
from typing import Literal

from vrnn.cli.data import ColumnFlags
from vrnn.cli.outputs import to_json
from vrnn.cli.runs import Json, Run, open_run
from vrnn.tasks.likelihood import likelihood as estimate


def likelihood(
    data: Path,
    /,
    *,
    model: Run | None = None,
    bound: Literal["fivo", "iwae", "elbo"] = "fivo",
    samples: int = 100,
    repeats: int = 3,
    as_json: Json = False,
    seed: int = 0,
    columns: ColumnFlags = ColumnFlags(),  # noqa: B008 (frozen)
) -> None:
    """Estimate the log-likelihood of tracks by a bound, with its standard error.

    Args:
        data: whole tracks that were not trained on, a file or a folder of files.
        model: run folder that vrnn train wrote; None is the model that needs no training.
        bound: fivo (a particle filter, tightest on long tracks), iwae (importance sampling) or
            elbo.
        samples: K or N; all bounds but the elbo tighten with more.
        repeats: independent estimates to average; their spread is the standard error.
        as_json: print one JSON object and nothing else.
        seed: of all noise.
        columns: of the data.
    """
    trained, tracks = open_run(model, data, columns)
    result = estimate(
        tracks, model=trained, bound=bound, samples=samples, repeats=repeats, seed=seed
    )
    print(to_json(result.to_dict()) if as_json else result.to_text())
