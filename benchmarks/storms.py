"""Storms: HURDAT2 end to end, and write docs/storms.md.

    python -m benchmarks.storms            position forecasts to 120 h, wind from the track, then the page
    python -m benchmarks.storms wind       one part, then the page: joint (positions and whether the storm is tropical), futures (narrower,
                                           trained on futures too), positions (alone), regression or wind
    python -m benchmarks.storms choice     what futures do on storms of 2002 to 2009, by trainings on those up to 2001; choice/32-200 does
                                           one of them, width and weight of the futures
    python -m benchmarks.storms --page     the page alone, from the results kept

Training storms up to 2009, validation 2010-2013, test 2014-2018; no choice is made on the test
years.
"""

import argparse
import csv
import time
from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from scipy.linalg import solve

import vrnn
from benchmarks.common import data_folder, keep, kept, table
from vrnn.data.plane import Plane
from vrnn.data.tracks import Tracks
from vrnn.metrics.displacement import great_circle
from vrnn.trained import TrainedModel

PAGE = Path(__file__).parents[1] / "docs" / "storms.md"
STEP = 6.0  # hours
HORIZONS = (12, 24, 36, 48, 72, 96, 120)
SAMPLES = 100
YEARS = {"train": (1970, 2009), "val": (2010, 2013), "test": (2014, 2018)}
CHOICE_YEARS = {"train": (1970, 2001), "val": (2010, 2013), "choice": (2002, 2009)}
SEEDS = (0, 1, 2)
WIDTH, RIDGE = 5.0, 1.0  # of the regression
MAP = Plane(0, 1, "nmi")
CONE = 0.67  # share of the samples that the circle around their mean holds
TRACK_COLUMNS = vrnn.Columns(x=("lat", "lon", "tropical"))
WIND_COLUMNS = vrnn.Columns(x=("lat", "lon"), y=("wind",))
TRACK_MODEL = vrnn.VRNNConfig(x_dim=3, hidden=64, latent_dim=8, emission="mixture(3):2+bernoulli:1")
TRACK_TRAINING = vrnn.TrainConfig(
    steps=2000,
    batch_size=32,
    weight_decay=0.1,
    average=0.995,
    validate_every=200,
    transform=vrnn.TransformConfig(geographic="nmi"),
    position_input=True,
)
TRACKS = {
    "joint": (TRACK_MODEL, TRACK_TRAINING),
    "futures": (
        replace(TRACK_MODEL, hidden=32),
        replace(TRACK_TRAINING, steps=4000, energy_weight=200.0),
    ),
    "positions": (replace(TRACK_MODEL, x_dim=2, emission="mixture(3)"), TRACK_TRAINING),
}
CHOICES = ((64, 0.0), (32, 0.0), (32, 200.0), (32, 1000.0))  # width, weight of the futures
WIND_MODELS = {
    "rnn": vrnn.RNNConfig(x_dim=2, hidden=64, emission="student_t", supervised=True),
    "seq2seq": vrnn.Seq2SeqVAEConfig(
        x_dim=2, hidden=64, latent_dim=8, emission="student_t", target="supervised"
    ),
    "vrnn, encoder": vrnn.VRNNConfig(
        x_dim=2, hidden=64, latent_dim=8, emission="student_t", supervised="encoder"
    ),
    "vrnn, conditional": vrnn.VRNNConfig(
        x_dim=2, hidden=64, latent_dim=8, emission="student_t", supervised="conditional"
    ),
}
WIND_TRAINING = vrnn.TrainConfig(steps=1200, batch_size=32, validate_every=100)
LAG = 4  # rows: the wind a day before
ROUNDED = 5.0  # kt, to which the agency gives winds


def synoptic(tracks: Tracks) -> Tracks:
    """Keep the fixes at 00, 06, 12 and 18 UTC and put storms on the six-hourly grid, missing fixes as gaps."""
    on_time = [np.flatnonzero(t % STEP == 0) for t in tracks.times]
    part = lambda arrays: [a[rows] for a, rows in zip(arrays, on_time, strict=True)]  # noqa: E731
    kept_rows = replace(
        tracks, x=part(tracks.x), times=part(tracks.times), u=part(tracks.u), y=part(tracks.y)
    )
    return vrnn.regular(kept_rows[np.flatnonzero(kept_rows.lengths > 1)], STEP)


def with_origin(tracks: Tracks) -> Tracks:
    """Add what is known from the start, constant over a storm: first position and the season as an angle."""
    season = [2 * np.pi * (t[0] / 24 % 365.25) / 365.25 for t in tracks.times]
    constant = [
        np.array([*x[0, :2], np.sin(s), np.cos(s)]) for x, s in zip(tracks.x, season, strict=True)
    ]
    u = [
        np.concatenate([u, np.tile(c, (len(u), 1))], 1)
        for u, c in zip(tracks.u, constant, strict=True)
    ]
    return replace(
        tracks, u=u, u_names=(*tracks.u_names, "first_lat", "first_lon", "season_sin", "season_cos")
    )


def with_season(tracks: Tracks) -> Tracks:
    """Add the season of every row as an angle."""
    angle = [2 * np.pi * (t / 24 % 365.25) / 365.25 for t in tracks.times]
    u = [np.column_stack([u, np.sin(a), np.cos(a)]) for u, a in zip(tracks.u, angle, strict=True)]
    return replace(tracks, u=u, u_names=(*tracks.u_names, "season_sin", "season_cos"))


def split(tracks: Tracks, years: dict[str, tuple[int, int]] = YEARS) -> dict[str, Tracks]:
    """Split by the year in the storm's id."""
    year = np.array([int(name[-4:]) for name in tracks.ids])
    return {k: tracks[np.flatnonzero((year >= a) & (year <= b))] for k, (a, b) in years.items()}


@dataclass(frozen=True)
class Cases:
    """Hold verification cases: prefixes that end at the time of a forecast, and what came.

    Attributes:
        prefix: tracks up to and with the time of the forecast: latitude, longitude, whether tropical.
        truth: positions of the following 20 rows, NaN where there is no case, (case, 20, 2) degrees.
        straight: latitude and longitude of the last 12 h continued, (case, 20, 2).
    """

    prefix: Tracks
    truth: np.ndarray
    straight: np.ndarray


def verification_cases(tracks: Tracks) -> Cases:
    """Find every synoptic time with a fix 12 h earlier, the storm tropical or subtropical then and at the horizon."""
    prefixes, truths, straights = [], [], []
    most = HORIZONS[-1] // int(STEP)
    steps = np.arange(1, most + 1)[:, None]
    for storm in tracks:
        x, tropical = storm.x[0][:, :2], np.nan_to_num(storm.x[0][:, 2]) > 0
        for t in range(2, len(x) - 1):
            if not (tropical[t] and np.isfinite(x[[t - 2, t]]).all()):
                continue
            future = np.full((most, 2), np.nan)
            ahead = np.where(tropical[t + 1 :, None], x[t + 1 :], np.nan)[:most]
            future[: len(ahead)] = ahead
            prefixes.append(storm.cut(stop=t + 1))
            truths.append(future)
            straights.append(x[t] + steps * (x[t] - x[t - 2]) / 2)
    return Cases(vrnn.concatenate(prefixes), np.stack(truths), np.stack(straights))


def positions(
    config: vrnn.VRNNConfig, settings: vrnn.TrainConfig, tracks: dict[str, Tracks], seed: int
) -> dict:
    """Train on storms of every length, and forecast every case of the other years."""
    shown = {name: columns(t, config.x_dim) for name, t in tracks.items()}
    started = time.perf_counter()
    run = vrnn.train(config, shown["train"], replace(settings, seed=seed), val=shown["val"])
    trained_in = time.perf_counter() - started
    parts = {part: verify(run.model, tracks[part], seed) for part in tracks if part != "train"}
    return {
        "train_seconds": round(trained_in, 1),
        "storms": {k: len(t) for k, t in tracks.items()},
        **parts,
    }


def choose(width: int, weight: float, tracks: dict[str, Tracks], seed: int) -> None:
    """Train one setting on early storms, and keep its errors on later ones that are not the test's."""
    config, settings = TRACKS["futures" if weight else "joint"]
    settings = replace(settings, energy_weight=weight)
    result = positions(replace(config, hidden=width), settings, tracks, seed)
    print(width, weight, result, flush=True)
    keep(
        f"storms_choice-{width}-{weight:g}-{seed}",
        {"width": width, "weight": weight, "seed": seed, **result},
    )


def columns(tracks: Tracks, width: int) -> Tracks:
    """Keep the first columns of x."""
    return replace(tracks, x=[x[:, :width] for x in tracks.x], x_names=tracks.x_names[:width])


def verify(model: TrainedModel, tracks: Tracks, seed: int) -> dict:
    """Forecast every case of some years; errors by horizon, over all years and in each.

    A case is verified only where the storm is tropical at the horizon. Of a model that says whether it is, those paths count
    at a horizon that are tropical there, or all where none is: the distribution given that there is something to verify.
    """
    cases = verification_cases(tracks)
    prefix = columns(cases.prefix, len(model.preprocessor.x_names))
    samples = vrnn.forecast(
        model, prefix, cases.truth.shape[1], SAMPLES, seed, inputs="hold"
    ).samples
    tropical = samples[..., 2] > 0 if samples.shape[-1] > 2 else np.ones(samples.shape[:3], bool)
    counted = tropical | ~tropical.any(0)
    paths = np.where(counted[..., None], samples[..., :2], np.nan)
    mean = np.nanmean(paths, axis=0)
    errors, straight = great_circle(mean, cases.truth), great_circle(cases.straight, cases.truth)
    of_all = great_circle(samples[..., :2].mean(0), cases.truth)
    radius = np.nanquantile(great_circle(paths, mean), CONE, axis=0)
    rows = []
    for hours in HORIZONS:
        i = hours // int(STEP) - 1
        there = np.isfinite(errors[:, i])
        rows.append({"hours": hours, "cases": int(there.sum()), "model": float(errors[there, i].mean()),
                     "all_paths": float(of_all[there, i].mean()), "tropical": float(tropical[:, there, i].mean()),
                     "constant_velocity": float(straight[there, i].mean()),
                     "cone": float((errors[there, i] <= radius[there, i]).mean()), "years": by_year(errors[there, i], cases, there)})  # fmt: skip
    return {"rows": rows}


def by_year(errors: np.ndarray, cases: Cases, there: np.ndarray) -> dict[str, float]:
    """Give the mean error of each year, of the cases that are there."""
    year = np.array([name[4:8] for name in cases.prefix.ids])[there]
    return {str(y): float(errors[year == y].mean()) for y in np.unique(year)}


def regression(tracks: dict[str, Tracks]) -> dict:
    """Regress the way to each horizon straight on what a case knows, by kernel ridge regression; errors on validation and test years.

    A yardstick that is no model of a track: one fit for each horizon, of a point alone. Width and ridge were chosen on the validation
    years.
    """
    cases = {name: verification_cases(t) for name, t in tracks.items()}
    known = {
        name: np.stack([predictors(*c) for c in zip(v.prefix.x, v.prefix.u, strict=True)])
        for name, v in cases.items()
    }
    degree = {name: MAP.stretch(k[:, :2]) for name, k in known.items()}
    mean, scale = known["train"].mean(0), known["train"].std(0)
    parts = {name: {"rows": []} for name in tracks if name != "train"}
    for hours in HORIZONS:
        i = hours // int(STEP) - 1
        there = {name: np.isfinite(v.truth[:, i]).all(-1) for name, v in cases.items()}
        points = {name: ((known[name] - mean) / scale)[rows] for name, rows in there.items()}
        residual = (cases["train"].truth[:, i] - cases["train"].straight[:, i]) * degree["train"]
        kernel = gram(points["train"], points["train"]) + RIDGE * np.eye(len(points["train"]))
        weights = solve(kernel, residual[there["train"]], assume_a="pos")
        for name, found in parts.items():
            rows, case = there[name], cases[name]
            off = gram(points[name], points["train"]) @ weights / degree[name][rows]
            errors = great_circle(case.straight[rows, i] + off, case.truth[rows, i])
            straight = great_circle(case.straight[rows, i], case.truth[rows, i])
            found["rows"].append({"hours": hours, "cases": len(errors), "model": float(errors.mean()),
                                  "constant_velocity": float(straight.mean()), "years": by_year(errors, case, rows),
                                  "year_cases": Counter(n[4:8] for n, seen in zip(case.prefix.ids, rows, strict=True) if seen)})  # fmt: skip
    return parts


def predictors(x: np.ndarray, u: np.ndarray) -> np.ndarray:
    """Give what the regression knows of a case: position, motion per step over the last 12 and 6 h and from 24 to 12 and 48 to 24 h before, season.

    Where a motion was not seen, the one before it in this order stands.
    """
    x, motions = x[:, :2], []
    for first, last in ((2, 0), (1, 0), (4, 2), (8, 4)):
        ends = x[[-1 - last, -1 - first]] if len(x) > first else np.full((2, 2), np.nan)
        motion = (ends[0] - ends[1]) * MAP.stretch(x[-1:])[0] / (first - last)
        motions.append(motion if np.isfinite(motion).all() else motions[-1])
    return np.concatenate([x[-1], *motions, u[-1, -2:]])


def gram(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Give the Gaussian kernel of two sets of points (n, d), (m, d)."""
    squared = (a**2).sum(-1)[:, None] + (b**2).sum(-1) - 2 * a @ b.T
    return np.exp(-squared / (2 * WIDTH**2))


def with_lag(tracks: Tracks) -> Tracks:
    """Add the wind a day before to the inputs, score only the rows that have one, and spread the rounded target.

    A density fitted to values on a grid can be as high as it likes; uniform noise as wide as the rounding bounds it.
    """
    rng = np.random.default_rng(0)
    lag = [np.concatenate([np.full((LAG, 1), np.nan), y[:-LAG]])[: len(y)] for y in tracks.y]
    u = [np.concatenate([a, b], 1) for a, b in zip(tracks.u, lag, strict=True)]
    spread = [a + rng.uniform(-ROUNDED / 2, ROUNDED / 2, a.shape) for a in tracks.y]
    y = [np.where(np.isnan(b), np.nan, a) for a, b in zip(spread, lag, strict=True)]
    return replace(tracks, u=u, y=y, u_names=(*tracks.u_names, "wind_24h_ago"))


def persistence(train: Tracks, test: Tracks) -> dict:
    """Say the wind of a day before, with a Gaussian whose width is that of the training errors."""
    error = {name: np.concatenate([y[1:, 0] - u[1:, -1] for y, u in zip(t.y, t.u, strict=True)])
             for name, t in (("train", train), ("test", test))}  # fmt: skip
    scale = float(np.sqrt(np.nanmean(error["train"] ** 2)))
    e = error["test"][np.isfinite(error["test"])]
    nll = np.mean(0.5 * (e / scale) ** 2 + np.log(scale) + 0.5 * np.log(2 * np.pi))
    return {"rmse": float(np.sqrt(np.mean(e**2))), "nll": float(nll), "rows": len(e)}


def wind(tracks: dict[str, Tracks], seed: int) -> dict:
    """Train every supervised setting to say the wind from the track and the wind a day before."""
    rows = {"persistence": persistence(tracks["train"], tracks["test"])}
    for name, config in WIND_MODELS.items():
        run = vrnn.train(
            config, tracks["train"], replace(WIND_TRAINING, seed=seed), val=tracks["val"]
        )
        scored = vrnn.evaluate(run.model, tracks["test"], samples=100)
        rows[name] = {
            "rmse": scored.rmse,
            "nll": scored.nll,
            "rows": scored.rows,
            "mean_rmse": scored.mean_rmse,
        }
        print(name, rows[name], flush=True)
    return rows


TEXT = """# Storms: HURDAT2, positions to 120 h and wind from the track

Made by `python -m benchmarks.storms` on one thread of a CPU. Atlantic storms of 1970 to 2018 (NOAA, public domain): trained up to
2009, weights chosen on 2010 to 2013, tested on 2014 to 2018; no setting was
chosen on the test years.

## Where will it go?

A VRNN on whole storms of every length, six-hourly: latitude and longitude in a geographic transform, increments in nautical miles, with the position that
each leads on from and the season as inputs, and jointly with them whether the storm is tropical (a mixture of Gaussians times a Bernoulli). Trained in
{seconds:.0f} s beside other work on the machine. Mean over seeds {seeds}, and their range; error of the mean of those of {samples} sampled paths that are tropical at the horizon,
great circle, nautical miles ({left:.0%} of the paths at 120 h; all where none is):

{positions}

A case is a synoptic time with a fix 12 h earlier and one at the horizon, the storm tropical or subtropical at both ends. Constant
velocity continues latitude and longitude of the last 12 h. Cone: share of the storms inside the circle around the mean that holds {cone:.0%} of the
paths.

{others}

By year, beside the agency's statistical no-skill line (OCD5) and its official forecast (OFCL), whose published errors are over the agency's own cases, those
for which all of its models were there; cases: ours and the agency's:

{years}

## How strong is it?

Supervised: wind (kt) from the track, given the wind 24 h before as an input. Persistence says that wind, with a Gaussian as wide
as its training errors. Winds are given in steps of 5 kt; uniform noise of that width is added to every target, or a density could be as
high as it likes. RMSE of the mean of 100 samples that have not seen y; NLL in nats per row, exact for the RNN, elsewhere an upper
bound by importance sampling with 100 samples.

{wind}

The NLL is of the whole series given the track. The conditional VRNN's latent carries the wind on from row to row, so that it knows how
slowly winds change, and its series are far more likely than those of the others, whose rows are all but independent given the
track. As a point forecast, the mean over samples that have seen no wind, it is the worst of the four and worse than persistence.
"""


def spread(values: list[float], digits: int = 1) -> str:
    """Write the mean over seeds with their range."""
    text = f"{np.mean(values):.{digits}f}"
    return (
        text
        if len(values) == 1
        else f"{text} ({min(values):.{digits}f} to {max(values):.{digits}f})"
    )


OTHERS = """**What matters for it**: the paths that the mean is over. The same forecasts with the mean over all their paths, and a model of latitude and longitude
alone, count storms that turn extratropical and are carried off, which no case does. **Trained on futures too**: half as wide, twice the steps, and in the second half of them the energy score of futures of up to {rows} rows that the model draws alone beside the
bound (`--energy-weight {weight:g}`). On the storms of 2002 to 2009, on which width and weight were tried (second table), it is nearer from 24 h on; on the validation years from 48 h on; on the
test years it is farther up to 48 h and hardly nearer behind, and its circles hold {cones} of them by horizon. The first model was there before it was tried, and stays. **How far it can go**: a kernel ridge regression from
position, motion over the last 48 h and season to how far the position at each horizon departs from constant velocity, fit on the cases of the training years ({width:g} wide, ridge {ridge:g}, chosen on the validation years). It is no
model of a track, and a yardstick for what these predictors tell. Validation and test years:

{table}

**On storms of 2002 to 2009**, by trainings on those up to 2001, weights chosen on 2010 to 2013, one seed each (`python -m benchmarks.storms choice`); a weight of 0 is the bound alone, with half the steps:

{choices}"""
NAMES = {
    "joint": "with the status",
    "futures": "with the status, futures too",
    "positions": "positions alone",
}


def others_text() -> str:
    """Write the paragraph on the other ways to train, beside the first."""
    rows = []
    for part, name in NAMES.items():
        results = kept(f"storms-{part}")
        seeds = ", ".join(str(r["seed"]) for r in results)
        for key, more in (("model", ""), ("all_paths", "; over all paths"))[
            : 2 if part == "joint" else 1
        ]:
            rows += [
                errors_row(name + more, results, years, key, seeds)
                for years in ("val", "test")
                if results
            ]
    straight = kept("storms-regression")
    for key, name in (("model", "regression"), ("constant_velocity", "constant velocity")):
        rows += [errors_row(name, straight, years, key, "") for years in ("val", "test")]
    head = ["forecasts", "years", *(f"{h} h" for h in HORIZONS), "seeds"]
    _, settings = TRACKS["futures"]
    cones = np.mean(
        [[row["cone"] for row in r["test"]["rows"]] for r in kept("storms-futures")], axis=0
    )
    return OTHERS.format(
        rows=settings.energy_rows,
        weight=settings.energy_weight,
        cones=", ".join(f"{c:.0%}" for c in cones),
        width=WIDTH,
        ridge=RIDGE,
        table=table(head, rows),
        choices=choices_table(),
    )


def choices_table() -> str:
    """Give the errors of every setting tried on storms of 2002 to 2009, and of the regression."""
    errors = lambda r: [f"{row['model']:.1f}" for row in r["choice"]["rows"]]  # noqa: E731
    settings = sorted(kept("storms_choice"), key=lambda r: (r["weight"], -r["width"]))
    rows = [[f"{r['width']}", f"{r['weight']:g}", *errors(r)] for r in settings]
    rows += [["regression", "", *errors(r)] for r in kept("storms_regression")]
    return table(["width", "weight of the futures", *(f"{h} h" for h in HORIZONS)], rows)


def errors_row(name: str, results: list[dict], years: str, key: str, seeds: str) -> list[str]:
    """Give a row of the table of errors by horizon, means over seeds."""
    errors = np.mean([[row[key] for row in r[years]["rows"]] for r in results], axis=0)
    return [
        name,
        {"val": "validation", "test": "test"}[years],
        *(f"{e:.1f}" for e in errors),
        seeds,
    ]


def agency(folder: Path, year: str) -> dict[str, dict[str, str]]:
    """Read the agency's published errors of a season: for each of its models, by horizon."""
    with (folder / f"nhc-track-errors-{year}.csv").open(encoding="utf-8", newline="") as lines:
        return {row["Model ID"]: row for row in csv.DictReader(lines)}


def page() -> None:
    """Write docs/storms.md from the results kept."""
    tracks, winds_kept = kept("storms-joint"), kept("storms-wind")[0]
    straight = kept("storms-regression")[0]
    rows, years = [], []
    for i, hours in enumerate(HORIZONS):
        found = [r["test"]["rows"][i] for r in tracks]
        rows.append([f"{hours} h", str(found[0]["cases"]), spread([f["model"] for f in found]),
                     f"{found[0]['constant_velocity']:.1f}", f"{np.mean([f['cone'] for f in found]):.0%}"])  # fmt: skip
        line = [f"{hours} h"]
        for year in ("2017", "2018"):
            published = tracks[0]["agency"][year]
            line += [
                f"{np.mean([f['years'][year] for f in found]):.1f}",
                f"{straight['test']['rows'][i]['years'][year]:.1f}",
                *(published[m][str(hours)] for m in ("OCD5", "OFCL")),
                f"{straight['test']['rows'][i]['year_cases'][year]}/{published['Forecasts'][str(hours)]}",
            ]
        years.append(line)
    winds = [
        [name, f"{r['rmse']:.2f}", f"{r['nll']:.3f}", str(r["rows"])]
        for name, r in winds_kept["rows"].items()
    ]
    PAGE.write_text(
        TEXT.format(
            seconds=np.mean([r["train_seconds"] for r in tracks]), seeds=", ".join(str(r["seed"]) for r in tracks),
            samples=SAMPLES, cone=CONE, left=np.mean([r["test"]["rows"][-1]["tropical"] for r in tracks]), others=others_text(),
            positions=table(["horizon", "cases", "VRNN", "constant velocity", "cone"], rows),
            years=table(["horizon", *(f"{y} {m}" for y in ("2017", "2018") for m in ("VRNN", "regression", "OCD5", "OFCL", "cases"))], years),
            wind=table(["model", "RMSE (kt)", "NLL per row", "rows"], winds),
        ),
        encoding="utf-8",
    )  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("parts", nargs="*", help="of the page; all of them when none is named")
    parser.add_argument("--data", type=Path, help="folder with hurdat2.txt")
    parser.add_argument(
        "--seed", type=int, help="one seed in place of 0, 1 and 2 for tracks, 0 for wind"
    )
    parser.add_argument(
        "--threads",
        type=int,
        default=1,
        help="of the processor; at these sizes a second one does not help",
    )
    parser.add_argument("--page", action="store_true", help="write the page alone")
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    choices = [f"choice/{width}-{weight:g}" for width, weight in CHOICES]
    known = (*TRACKS, "regression", "wind", "choice", *choices, "choice/regression")
    if unknown := set(given.parts) - set(known):
        parser.error(f"expected parts among {', '.join(known)}; found {', '.join(sorted(unknown))}")
    if not given.page:
        path = data_folder(given.data, "hurdat2") / "hurdat2.txt"
        for part in given.parts or (*TRACKS, "regression", "wind", "choice"):
            tracks = synoptic(
                vrnn.read_tracks(path, WIND_COLUMNS if part == "wind" else TRACK_COLUMNS)
            )
            kind, _, setting = part.partition("/")
            if kind == "choice":
                early = split(with_season(tracks), CHOICE_YEARS)
                for width, weight in CHOICES:
                    if setting in ("", f"{width}-{weight:g}"):
                        choose(width, weight, early, given.seed or 0)
                if setting in ("", "regression"):
                    keep("storms_regression", regression(early))
                continue
            seeds = SEEDS if part in TRACKS and given.seed is None else (given.seed or 0,)
            for seed in seeds:
                if part in TRACKS:
                    result = positions(*TRACKS[part], split(with_season(tracks)), seed)
                    result["agency"] = {
                        year: agency(path.parent, year) for year in ("2017", "2018")
                    }
                elif part == "regression":
                    result = regression(split(with_season(tracks)))
                else:
                    result = {"rows": wind(split(with_lag(with_origin(tracks))), seed)}
                print(result, flush=True)
                keep(f"storms-{part}-{seed}", {"seed": seed, **result})
    page()


if __name__ == "__main__":
    main()
