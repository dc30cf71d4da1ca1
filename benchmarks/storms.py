"""Storms: HURDAT2, positions to 120 h ahead, and wind from the track.

    python -m benchmarks.storms             every part
    python -m benchmarks.storms wind        one part, see below
    python -m benchmarks.storms choice      trained up to 2001, scored on storms of 2002 to 2009
    python -m benchmarks.storms --tables    the tables alone, from the kept results

Parts: joint (positions and whether the storm is tropical), futures (narrower, trained on futures
too), positions (alone), regression and wind. choice/32-200 is one training of choice: width 32,
weight 200 of the futures.

Training storms up to 2009, validation 2010 to 2013, test 2014 to 2018. No choice is made on the
test years.
"""

import csv
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

import vrnn
from benchmarks.common import data_folder, keep, kept, parser, spread, write_table
from benchmarks.storm_cases import HORIZONS, STEP, by_year, columns, verification_cases
from benchmarks.storm_regression import regression
from vrnn.data.tracks import Tracks
from vrnn.geo import great_circle
from vrnn.trained import TrainedModel

SAMPLES = 100
YEARS = {"train": (1970, 2009), "val": (2010, 2013), "test": (2014, 2018)}
CHOICE_YEARS = {"train": (1970, 2001), "val": (2010, 2013), "choice": (2002, 2009)}
SEEDS = (0, 1, 2)
CONE = 0.67  # share of the samples that the circle around their mean holds
TRACK_COLUMNS = vrnn.Columns(x=("lat", "lon", "tropical"))
WIND_COLUMNS = vrnn.Columns(x=("lat", "lon"), y=("wind",))
TRACK_MODEL = vrnn.VRNNConfig(x_dim=3, hidden=64, latent_dim=8, emission="mixture(3):2+bernoulli:1")
TRACK_TRAINING = vrnn.TrainConfig(
    steps=2000,
    batch_size=32,
    weight_decay=0.1,
    ema_decay=0.995,
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
    """Return storms on the six-hourly grid: fixes at 00, 06, 12 and 18 UTC, gaps as missing."""
    on_time = [np.flatnonzero(t % STEP == 0) for t in tracks.times]

    def part(arrays: list[np.ndarray]) -> list[np.ndarray]:
        return [a[rows] for a, rows in zip(arrays, on_time, strict=True)]

    kept_rows = replace(
        tracks, x=part(tracks.x), times=part(tracks.times), u=part(tracks.u), y=part(tracks.y)
    )
    return vrnn.regular(kept_rows[np.flatnonzero(kept_rows.lengths > 1)], STEP)


def with_origin(tracks: Tracks) -> Tracks:
    """Return storms with first position and season as inputs, constant over a storm."""
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
    """Return storms with the season of every row as an angle among the inputs."""
    angle = [2 * np.pi * (t / 24 % 365.25) / 365.25 for t in tracks.times]
    u = [np.column_stack([u, np.sin(a), np.cos(a)]) for u, a in zip(tracks.u, angle, strict=True)]
    return replace(tracks, u=u, u_names=(*tracks.u_names, "season_sin", "season_cos"))


def split(tracks: Tracks, years: dict[str, tuple[int, int]] = YEARS) -> dict[str, Tracks]:
    """Return the storms of each span of years, by the year in their ids."""
    year = np.array([int(name[-4:]) for name in tracks.ids])
    return {k: tracks[np.flatnonzero((year >= a) & (year <= b))] for k, (a, b) in years.items()}


def positions(
    config: vrnn.VRNNConfig, settings: vrnn.TrainConfig, tracks: dict[str, Tracks], seed: int
) -> dict:
    """Train on storms of every length; return errors on every case of the other years."""
    shown = {name: columns(t, config.x_dim) for name, t in tracks.items()}
    started = time.perf_counter()
    run = vrnn.train(
        shown["train"], config=config, training=replace(settings, seed=seed), val=shown["val"]
    )
    trained_in = time.perf_counter() - started
    parts = {part: verify(run.model, tracks[part], seed) for part in tracks if part != "train"}
    return {
        "train_seconds": round(trained_in, 1),
        "storms": {k: len(t) for k, t in tracks.items()},
        **parts,
    }


def choose(width: int, weight: float, tracks: dict[str, Tracks], seed: int) -> None:
    """Train one setting on early storms; keep its errors on the storms of 2002 to 2009."""
    config, settings = TRACKS["futures" if weight else "joint"]
    settings = replace(settings, energy_weight=weight)
    result = positions(replace(config, hidden=width), settings, tracks, seed)
    print(width, weight, result, flush=True)
    keep(
        f"storms_choice-{width}-{weight:g}-{seed}",
        {"width": width, "weight": weight, "seed": seed, **result},
    )


def verify(model: TrainedModel, tracks: Tracks, seed: int) -> dict:
    """Return errors of forecasts of every case by horizon, over all years and in each.

    A case is verified only where the storm is tropical at the horizon. If the model has that
    status, only paths that are tropical at the horizon count, or all where none is. This is the
    distribution given that there is something to verify.
    """
    cases = verification_cases(tracks)
    prefix = columns(cases.prefix, len(model.preprocessor.x_names))
    samples = vrnn.forecast(
        prefix,
        model=model,
        horizon=cases.truth.shape[1],
        samples=SAMPLES,
        seed=seed,
        inputs="hold",
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
        rows.append(
            {
                "hours": hours,
                "cases": int(there.sum()),
                "model": float(errors[there, i].mean()),
                "all_paths": float(of_all[there, i].mean()),
                "tropical": float(tropical[:, there, i].mean()),
                "constant_velocity": float(straight[there, i].mean()),
                "cone": float((errors[there, i] <= radius[there, i]).mean()),
                "years": by_year(errors[there, i], cases, there),
            }
        )
    return {"rows": rows}


def with_lag(tracks: Tracks) -> Tracks:
    """Return storms with the wind a day before as an input and the rounded target spread.

    Only rows that have a wind a day before are scored. A density fitted to values on a grid can
    grow without limit; uniform noise as wide as the rounding bounds it.
    """
    rng = np.random.default_rng(0)
    lag = [np.concatenate([np.full((LAG, 1), np.nan), y[:-LAG]])[: len(y)] for y in tracks.y]
    u = [np.concatenate([a, b], 1) for a, b in zip(tracks.u, lag, strict=True)]
    spread = [a + rng.uniform(-ROUNDED / 2, ROUNDED / 2, a.shape) for a in tracks.y]
    y = [np.where(np.isnan(b), np.nan, a) for a, b in zip(spread, lag, strict=True)]
    return replace(tracks, u=u, y=y, u_names=(*tracks.u_names, "wind_24h_ago"))


def persistence(train: Tracks, test: Tracks) -> dict:
    """Return the scores of persistence: the wind a day before, as wide as its training errors."""
    error = {
        name: np.concatenate([y[1:, 0] - u[1:, -1] for y, u in zip(t.y, t.u, strict=True)])
        for name, t in (("train", train), ("test", test))
    }
    scale = float(np.sqrt(np.nanmean(error["train"] ** 2)))
    e = error["test"][np.isfinite(error["test"])]
    nll = np.mean(0.5 * (e / scale) ** 2 + np.log(scale) + 0.5 * np.log(2 * np.pi))
    return {"rmse": float(np.sqrt(np.mean(e**2))), "nll": float(nll), "rows": len(e)}


def wind(tracks: dict[str, Tracks], seed: int) -> dict:
    """Train every supervised setting on wind from the track; return its scores."""
    rows = {"persistence": persistence(tracks["train"], tracks["test"])}
    for name, config in WIND_MODELS.items():
        settings = replace(WIND_TRAINING, seed=seed)
        run = vrnn.train(tracks["train"], config=config, training=settings, val=tracks["val"])
        scored = vrnn.evaluate(tracks["test"], model=run.model, samples=100)
        rows[name] = {
            "rmse": scored.rmse,
            "nll": scored.nll,
            "rows": scored.rows,
            "mean_rmse": scored.mean_rmse,
        }
        print(name, rows[name], flush=True)
    return rows


def agency(folder: Path, year: str) -> dict[str, dict[str, str]]:
    """Return the agency's published errors of a season: for each of its models, by horizon."""
    with (folder / f"nhc-track-errors-{year}.csv").open(encoding="utf-8", newline="") as lines:
        return {row["Model ID"]: row for row in csv.DictReader(lines)}


HOURS = [f"{h} h" for h in HORIZONS]
NAMES = {
    "joint": "VRNN, positions and status",
    "futures": "VRNN, positions and status, trained on futures too",
    "positions": "VRNN, positions alone",
}


def errors_row(name: str, results: list[dict], years: str, key: str) -> list[str]:
    """Return a row of errors by horizon, means over seeds."""
    errors = np.mean([[row[key] for row in r[years]["rows"]] for r in results], axis=0)
    seeds = ", ".join(str(r["seed"]) for r in results)
    shown = {"val": "validation", "test": "test"}[years]
    return [name, shown, *(f"{e:.1f}" for e in errors), seeds]


def write_variants() -> None:
    """Write the table of the ways to train, and that of their circles and training times."""
    rows, straight = [], kept("storms-regression")
    lines = [
        (NAMES["joint"], kept("storms-joint"), "model"),
        (f"{NAMES['joint']}; mean over all paths", kept("storms-joint"), "all_paths"),
        (NAMES["futures"], kept("storms-futures"), "model"),
        (NAMES["positions"], kept("storms-positions"), "model"),
        ("kernel ridge regression", straight, "model"),
        ("constant velocity", straight, "constant_velocity"),
    ]
    for name, results, key in lines:
        rows += [errors_row(name, results, years, key) for years in ("val", "test")]
    for row in rows[-4:]:
        row[-1] = ""  # nothing is drawn
    write_table("storms-variants", ["forecasts", "years", *HOURS, "seeds"], rows)
    cones = []
    for part in TRACKS:
        results = kept(f"storms-{part}")
        shares = [[row["cone"] for row in r["test"]["rows"]] for r in results]
        seconds = np.mean([r["train_seconds"] for r in results])
        cones.append(
            [NAMES[part], *(f"{c:.0%}" for c in np.mean(shares, axis=0)), f"{seconds:.0f} s"]
        )
    write_table("storms-cones", ["forecasts", *HOURS, "training"], cones)


def write_choice() -> None:
    """Write the errors of every setting tried on the storms of 2002 to 2009."""
    settings = sorted(kept("storms_choice"), key=lambda r: (r["weight"], -r["width"]))
    named = [("VRNN", f"{r['width']}", f"{r['weight']:g}", r) for r in settings]
    named += [("kernel ridge regression", "", "", r) for r in kept("storms_regression")]
    rows = [
        [*words, *(f"{row['model']:.1f}" for row in r["choice"]["rows"])] for *words, r in named
    ]
    write_table("storms-choice", ["forecasts", "width", "weight of the futures", *HOURS], rows)


def write_years() -> None:
    """Write the errors of each season beside the agency's, over its own cases."""
    tracks, straight = kept("storms-joint"), kept("storms-regression")[0]
    for year in ("2017", "2018"):
        published, rows = tracks[0]["agency"][year], []
        for i, hours in enumerate(HORIZONS):
            ours = np.mean([r["test"]["rows"][i]["years"][year] for r in tracks])
            fitted = straight["test"]["rows"][i]
            rows.append(
                [
                    f"{hours} h",
                    f"{ours:.1f}",
                    f"{fitted['years'][year]:.1f}",
                    *(published[name][str(hours)] for name in ("OCD5", "TCLP", "OFCL")),
                    str(fitted["year_cases"][year]),
                    published["Forecasts"][str(hours)],
                ]
            )
        head = ["horizon", "VRNN", "regression", "OCD5", "TCLP", "OFCL", "our cases", "its cases"]
        write_table(f"storms-{year}", head, rows)


def write_tables() -> None:
    """Write every table of the page."""
    tracks, rows = kept("storms-joint"), []
    for i, hours in enumerate(HOURS):
        found = [r["test"]["rows"][i] for r in tracks]
        first, cone = found[0], np.mean([f["cone"] for f in found])
        tropical = np.mean([f["tropical"] for f in found])
        rows.append(
            [
                hours,
                str(first["cases"]),
                spread([f["model"] for f in found], 1),
                f"{first['constant_velocity']:.1f}",
                f"{cone:.0%}",
                f"{tropical:.0%}",
            ]
        )
    head = ["horizon", "cases", "VRNN", "constant velocity", "in the circle", "tropical paths"]
    write_table("storms", head, rows)
    write_variants()
    write_choice()
    write_years()
    winds = kept("storms-wind")[0]["rows"]
    write_table(
        "storms-wind",
        ["model", "RMSE (kt)", "NLL per row", "rows"],
        [[n, f"{r['rmse']:.2f}", f"{r['nll']:.3f}", str(r["rows"])] for n, r in winds.items()],
    )


def run_choice(setting: str, tracks: Tracks, seed: int) -> None:
    """Run one training of the choice, or all of them where `setting` is empty."""
    early = split(with_season(tracks), CHOICE_YEARS)
    for width, weight in CHOICES:
        if setting in ("", f"{width}-{weight:g}"):
            choose(width, weight, early, seed)
    if setting in ("", "regression"):
        keep("storms_regression", regression(early))


def run_part(part: str, path: Path, tracks: Tracks, seed: int) -> None:
    """Run one part with one seed and keep its result."""
    if part in TRACKS:
        result = positions(*TRACKS[part], split(with_season(tracks)), seed)
        result["agency"] = {year: agency(path.parent, year) for year in ("2017", "2018")}
    elif part == "regression":
        result = regression(split(with_season(tracks)))
    else:
        result = {"rows": wind(split(with_lag(with_origin(tracks))), seed)}
    print(result, flush=True)
    keep(f"storms-{part}-{seed}", {"seed": seed, **result})


def main() -> None:
    made = parser(__doc__, "hurdat2.txt")
    made.add_argument("parts", nargs="*", help="all of them when none is named")
    made.add_argument("--seed", type=int, help="one seed in place of 0, 1 and 2 (of wind, 0)")
    given = made.parse_args()
    torch.set_num_threads(given.threads)
    choices = [f"choice/{width}-{weight:g}" for width, weight in CHOICES]
    known = (*TRACKS, "regression", "wind", "choice", *choices, "choice/regression")
    if unknown := set(given.parts) - set(known):
        made.error(f"expected parts among {', '.join(known)}; found {', '.join(sorted(unknown))}")
    if not given.tables:
        path = data_folder(given.data, "hurdat2") / "hurdat2.txt"
        for part in given.parts or (*TRACKS, "regression", "wind", "choice"):
            columns_read = WIND_COLUMNS if part == "wind" else TRACK_COLUMNS
            tracks = synoptic(vrnn.read_tracks(path, columns=columns_read))
            kind, _, setting = part.partition("/")
            if kind == "choice":
                run_choice(setting, tracks, given.seed or 0)
                continue
            for seed in SEEDS if part in TRACKS and given.seed is None else (given.seed or 0,):
                run_part(part, path, tracks, seed)
    write_tables()


if __name__ == "__main__":
    main()
