"""`vrnn reliability`: whether predictive regions hold what they should."""

from pathlib import Path

import numpy as np

from vrnn.cli.data import ColumnFlags
from vrnn.cli.evaluate import usual_window
from vrnn.cli.outputs import check_outputs, to_json
from vrnn.cli.runs import Json, Run, open_run
from vrnn.errors import ConfigError
from vrnn.tasks.reliability import reliability as compare


def reliability(
    data: Path,
    /,
    *,
    model: Run | None = None,
    observe: int | None = None,
    horizon: int | None = None,
    samples: int = 100,
    temperature: float = 1.0,
    regions: tuple[float, ...] = (0.5, 0.9),
    plot: Path | None = None,
    as_json: Json = False,
    seed: int = 0,
    columns: ColumnFlags = ColumnFlags(),  # noqa: B008 (frozen)
) -> None:
    """Measure how often the truth lies in the regions that should hold it, at each step ahead.

    Args:
        data: whole tracks that were not trained on, a file or a folder of files.
        model: run folder that vrnn train wrote; None is the model that needs no training.
        observe: time steps observed; None is 8, or fewer where tracks are short.
        horizon: time steps to forecast; None is 12, or fewer where tracks are short.
        samples: futures of a window.
        temperature: factor on the distances of the futures from their means; their densities
            follow.
        regions: shares of its probability that regions of highest density hold.
        plot: picture of the reliability of regions of every size to write, .png, .pdf or .svg.
        as_json: print one JSON object and nothing else.
        seed: of all noise.
        columns: of the data.
    """
    check_outputs(plot=plot, data=[data], runs=[model])
    for share in regions:
        if not 0 < share < 1:
            raise ConfigError(
                setting="regions", expected="shares between 0 and 1", found=f"{share:g}"
            )
    trained, tracks = open_run(model, data, columns, regular=True)
    observe, horizon = usual_window(tracks, observe, horizon)
    found = compare(
        tracks,
        model=trained,
        observe=observe,
        horizon=horizon,
        samples=samples,
        seed=seed,
        temperature=temperature,
    )
    coverage = {f"{share:g}": found.coverage(share) for share in regions}
    nll = found.nll.mean(0)
    if as_json:
        shares = {name: values.tolist() for name, values in coverage.items()}
        summary = {"windows": len(found.level), "samples": samples}
        print(to_json({**summary, "coverage": shares, "nll": nll.tolist()}))
    else:
        print(_table(coverage, nll, len(found.level), samples, observe))
    if plot is not None:
        found.plot(plot)
        if not as_json:
            print(f"{plot}: picture of it")


def _table(
    coverage: dict[str, np.ndarray], nll: np.ndarray, windows: int, samples: int, observe: int
) -> str:
    """Return a line for each step ahead: coverage of each region, density of the truth."""
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
            "The percentages are the share of windows whose true position lies in the region of",
            "highest density that should hold the share at the top of the column. NLL is minus the",
            "log-density of that position given the prefix alone, in nats and data units.",
        ]
    )
