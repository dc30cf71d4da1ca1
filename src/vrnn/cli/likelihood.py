"""`vrnn likelihood`: how probable tracks are."""

from pathlib import Path
from typing import Annotated, Literal

from tyro.conf import FlagCreatePairsOff, Positional, arg

from vrnn.cli.data import ColumnFlags
from vrnn.cli.outputs import to_json
from vrnn.cli.runs import open_run
from vrnn.tasks.likelihood import likelihood as estimate


def likelihood(
    run: Positional[Path],
    data: Positional[Path],
    *,
    bound: Literal["fivo", "iwae", "elbo"] = "fivo",
    samples: int = 100,
    repeats: int = 3,
    as_json: Annotated[FlagCreatePairsOff[bool], arg(name="json")] = False,
    seed: int = 0,
    columns: ColumnFlags = ColumnFlags(),  # noqa: B008 (frozen)
) -> None:
    """Estimate the log-likelihood of tracks by a bound, with its standard error.

    Args:
        run: run folder that vrnn train wrote.
        data: whole tracks, a file or a folder of files, not those of the training.
        bound: fivo (a particle filter, the tightest on long tracks), iwae (importance sampling) or elbo.
        samples: K or N; the bound tightens with more, but for the elbo.
        repeats: independent estimates to average; their spread is the standard error.
        as_json: print one JSON object and nothing else.
        seed: of all noise.
        columns: of the data.
    """
    model, tracks = open_run(run, data, columns)
    result = estimate(model, tracks, bound, samples, repeats, seed)
    print(to_json(result.to_dict()) if as_json else result.to_text())
