"""`vrnn reliability`: whether predictive regions hold what they should."""

from pathlib import Path
from typing import Annotated

import numpy as np
from tyro.conf import FlagCreatePairsOff, Positional, arg

from vrnn.cli.data import ColumnFlags
from vrnn.cli.outputs import check_outputs, to_json
from vrnn.cli.runs import open_run
from vrnn.errors import ConfigError
from vrnn.tasks.reliability import reliability as compare


def reliability(
    run: Positional[Path],
    data: Positional[Path],
    *,
    observe: int = 8,
    horizon: int = 12,
    samples: int = 100,
    temperature: float = 1.0,
    regions: tuple[float, ...] = (0.5, 0.9),
    plot: Path | None = None,
    as_json: Annotated[FlagCreatePairsOff[bool], arg(name="json")] = False,
    seed: int = 0,
    columns: ColumnFlags = ColumnFlags(),  # noqa: B008 (frozen)
) -> None:
    """Tell how much of the time the truth lies in the regions that should hold it, at every step of a forecast.

    Args:
        run: run folder that vrnn train wrote.
        data: whole tracks, a file or a folder of files, not those of the training.
        observe: rows known.
        horizon: rows to forecast.
        samples: futures a window.
        temperature: of the futures and their densities: distances from means are multiplied by it.
        regions: shares of its probability that regions of highest density hold.
        plot: picture of the reliability of regions of every size to write, .png, .pdf or .svg.
        as_json: print one JSON object and nothing else.
        seed: of all noise.
        columns: of the data.
    """
    check_outputs(None, plot)
    for share in regions:
        if not 0 < share < 1:
            raise ConfigError(
                f"expected regions that hold a share between 0 and 1, found {share:g}"
            )
    model, tracks = open_run(run, data, columns)
    found = compare(model, tracks, observe, horizon, samples, seed, temperature=temperature)
    coverage = {f"{share:g}": found.coverage(share) for share in regions}
    nll = found.nll.mean(0)
    if as_json:
        rows = {name: values.tolist() for name, values in coverage.items()}
        print(
            to_json(
                {
                    "windows": len(found.level),
                    "samples": samples,
                    "coverage": rows,
                    "nll": nll.tolist(),
                }
            )
        )
    else:
        print(_table(coverage, nll, len(found.level), samples, observe))
    if plot is not None:
        found.plot(plot)
        if not as_json:
            print(f"{plot}: picture of it")


def _table(
    coverage: dict[str, np.ndarray], nll: np.ndarray, windows: int, samples: int, observe: int
) -> str:
    """Give a line a step ahead: the coverage of each region and the density of the truth."""
    lines = [
        f"{windows} windows, {observe} observed, {samples} futures each",
        "",
        "step ahead" + "".join(f"{100 * float(name):>9.4g}%" for name in coverage) + f"{'NLL':>10}",
    ]
    for t in range(len(nll)):
        cells = "".join(f"{values[t]:>10.1%}" for values in coverage.values())
        lines.append(f"{t + 1:>10}{cells}{nll[t]:>10.3f}")
    return "\n".join(
        [
            *lines,
            "",
            "Share of windows whose true position lies in the region of highest density that should hold the share above it; NLL: minus",
            "the log-density of that position given the prefix alone, in nats of data units.",
        ]
    )
