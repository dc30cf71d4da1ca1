"""`vrnn demo`: train on built-in tracks whose truth is known, print the table, draw the futures."""

import time
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float, Int

from vrnn.baselines.constant_velocity import constant_velocity
from vrnn.data.synthetic import Crossroads
from vrnn.data.tracks import Tracks
from vrnn.errors import MissingExtraError, RunFolderError, Setting
from vrnn.files import check_writable
from vrnn.metrics.displacement import average_displacement, best_of
from vrnn.metrics.scores import energy_score
from vrnn.models.config import ModelConfig
from vrnn.models.rnn import RNNConfig
from vrnn.models.vrnn import VRNNConfig
from vrnn.plots import plot_futures
from vrnn.tasks.encode import encode
from vrnn.tasks.evaluate import Evaluation, evaluate
from vrnn.tasks.forecast import forecast
from vrnn.trained import TrainedModel
from vrnn.training.config import TrainConfig
from vrnn.training.fit import train
from vrnn.training.lock import locked
from vrnn.training.run_folder import FILES, read_settings

OBSERVE, HORIZON, SAMPLES = 8, 12, 20
SHOWN = 120  # futures in the picture
STEPS = 1300
PICTURE = "futures.png"
AT_ONCE = 200  # walks that are forecast before any training
MODELS: dict[str, ModelConfig] = {  # of both a step is one of eight Gaussians
    "RNN, eight Gaussians": RNNConfig(x_dim=2, hidden=48, emission="mixture(8)"),
    "VRNN, eight categories": VRNNConfig(
        x_dim=2, hidden=48, latent="categorical(8)", emission="full_gaussian"
    ),
}


class Row(NamedTuple):
    """One line of the table.

    Distances are in metres, nll in nats per step, shares those of left, straight and right.
    """

    name: str
    ade: float
    min_ade: float
    energy: float
    nll: float
    shares: np.ndarray


def demo(*, out: Path = Path("demo"), seed: int = 0, steps_factor: float = 1.0) -> list[Row]:
    """Forecast without training, then train an RNN and a VRNN on walkers at a crossroads.

    Both have the same steps and eight Gaussians. In the VRNN each Gaussian belongs to a category. The
    true process is scored beside them.

    Writes futures.png (the futures of one walker) and the run folders demo-rnn and demo-vrnn under
    the folder of --out. They replace those of an earlier demo.

    Args:
        out: folder for the runs and the picture.
        seed: of data, weights and noise.
        steps_factor: factor on the usual number of training steps.
    """
    folders = {name: out / f"demo-{name.split(',')[0].lower()}" for name in MODELS}
    for name, folder in folders.items():
        check_earlier(folder, MODELS[name])
        check_writable(folder / "config.json")
    check_writable(out / PICTURE)
    truth = Crossroads()
    data, val, test = (
        truth.sample(n, OBSERVE + HORIZON, seed=3 * seed + i)
        for i, n in enumerate((4000, 500, 2000))
    )
    print(
        f"{len(data)} walks to a junction; {OBSERVE} points observed, {HORIZON} forecast; "
        "metres, one step 1 s"
    )
    print(f"\n{at_once(test)}")
    models: dict[str, TrainedModel] = {}
    started, threads = time.perf_counter(), torch.get_num_threads()
    torch.set_num_threads(1)  # at this size a second thread waits more than it works
    steps = max(1, round(STEPS * steps_factor))
    for name, config in MODELS.items():
        print(f"\ntraining: {name}")
        clear(folders[name])
        settings = TrainConfig(
            steps=steps, learning_rate=4e-3, validate_every=max(1, steps // 4), seed=seed
        )
        models[name] = train(
            data, config=config, training=settings, out=folders[name], val=val
        ).model
    torch.set_num_threads(threads)
    print(f"\ntrained in {time.perf_counter() - started:.0f} s\n")
    rows = table(truth, models, test, seed)
    print(to_text(rows))
    categories = next(m for name, m in models.items() if name.startswith("VRNN"))
    print(f"\n{meaning(truth, categories, test, seed)}")
    picture = draw(truth, models, test, out / PICTURE, seed)
    if picture:
        print(f"\nthe futures of one walker: {picture}")
    return rows


def check_earlier(folder: Path, config: ModelConfig) -> None:
    """Refuse a folder that holds another run than that of a demo.

    Raises:
        RunFolderError: names the folder.
    """
    if not (folder / "config.json").exists():
        return
    try:
        found = read_settings(folder).model
    except RunFolderError:
        found = None
    if found != config:
        raise RunFolderError(
            "holds a run that is not of this demo",
            where=folder,
            hint=("remove it, or choose another folder with ", Setting("out")),
        )


def clear(folder: Path) -> None:
    """Remove the run of an earlier demo from a folder, and nothing else."""
    with locked(folder):
        for name in FILES:
            (folder / name).unlink(missing_ok=True)


def at_once(test: Tracks) -> str:
    """Return how well the model that needs no training forecasts some of the walks, in one line."""
    few = test[:AT_ONCE]
    found = evaluate(few, observe=OBSERVE, horizon=HORIZON, samples=SAMPLES)
    assert isinstance(found, Evaluation)  # no supervised model here
    line = found.baselines["constant_velocity"]
    return (
        f"at once, without training (vrnn forecast): ADE {found.model.ade:.2f} m, best of "
        f"{SAMPLES} {found.model.min_ade:.2f} m; constant velocity {line.ade:.2f} m"
    )


def table(truth: Crossroads, models: dict[str, TrainedModel], test: Tracks, seed: int) -> list[Row]:
    """Score constant velocity, every model and the true process on the same windows."""
    x = np.stack(test.x)
    past, future = x[:, :OBSERVE], x[:, OBSERVE:]
    straight = constant_velocity(past, HORIZON)
    ade = float(average_displacement(straight, future).mean())
    nothing, shares = float("nan"), truth.turn_shares(straight[None]).mean(0)
    rows = [Row("constant velocity", ade, ade, nothing, nothing, shares)]
    for name, model in models.items():
        drawing = {"model": model, "horizon": HORIZON, "samples": SAMPLES, "seed": seed}
        evaluation = evaluate(test, observe=OBSERVE, **drawing)
        assert isinstance(evaluation, Evaluation)  # no supervised model here
        scores = evaluation.model
        drawn = forecast(test.cut(stop=OBSERVE), **drawing).samples
        shares = truth.turn_shares(drawn).mean(0)
        rows.append(Row(name, scores.ade, scores.min_ade, scores.energy_score, scores.nll, shares))
    drawn = truth.future(past, HORIZON, SAMPLES, seed=seed)
    true_process = Row(
        "true process",
        float(average_displacement(drawn.mean(0), future).mean()),
        float(best_of(drawn, future)[0].mean()),
        float(energy_score(drawn, future).mean()),
        float(-truth.log_prob(x, given=OBSERVE).mean() / HORIZON),
        truth.turn_shares(drawn).mean(0),
    )
    return [*rows, true_process]


def to_text(rows: list[Row]) -> str:
    """Return the table, with the meaning of each column."""
    head = f"{'':>22}{'ADE':>8}{f'minADE{SAMPLES}':>10}{'energy':>9}{'NLL/step':>10}"
    lines = [f"{head}   left / straight / right"]
    for row in rows:
        cells = f"{row.ade:>8.3f}{row.min_ade:>10.3f}{row.energy:>9.3f}{row.nll:>10.3f}".replace(
            "nan", "  -"
        )
        shares = " / ".join(f"{100 * s:.1f} %" for s in row.shares)
        lines.append(f"{row.name:>22}{cells}   {shares}")
    return "\n".join(
        [
            *lines,
            "",
            f"ADE is of the mean of {SAMPLES} sampled futures, minADE{SAMPLES} of the best of them.",
            "The energy score takes the future as one vector. NLL is a bound for the VRNN and exact",
            "for the others, in nats per step of metres. Shares are of the ends of sampled futures.",
        ]
    )


def categories_at_junction(
    truth: Crossroads, model: TrainedModel, paths: Float[np.ndarray, "batch time 2"], seed: int
) -> Int[np.ndarray, "batch"]:
    """Return the category that the move at the junction most probably has, for each path."""
    found = encode(Tracks(list(paths)), model=model, seed=seed).probabilities
    assert found is not None
    return np.array([p[t].argmax() for p, t in zip(found, truth.junction(paths), strict=True)])


def meaning(truth: Crossroads, model: TrainedModel, test: Tracks, seed: int) -> str:
    """Return what the category at the junction says about the turn, in one line."""
    x = np.stack(test.x)
    shared = mutual_information(categories_at_junction(truth, model, x, seed), truth.turn(x))
    whole = mutual_information(truth.turn(x), truth.turn(x))
    return (
        f"The VRNN's category at the junction tells {shared:.2f} of the {whole:.2f} nats that "
        "there are in the turn."
    )


def mutual_information(a: Int[np.ndarray, " batch"], b: Int[np.ndarray, " batch"]) -> float:
    """Return the mutual information of two columns of whole numbers, in nats.

    I(a; b) = sum_{i,j} p_ij log(p_ij / (p_i p_j))

    >>> a = np.array([0, 0, 1, 1])
    >>> round(mutual_information(a, a), 3), round(mutual_information(a, np.array([0, 1, 0, 1])), 3)
    (0.693, 0.0)
    """
    joint = np.zeros((a.max() + 1, b.max() + 1))
    np.add.at(joint, (a, b), 1 / len(a))
    apart = joint.sum(1, keepdims=True) * joint.sum(0, keepdims=True)
    there = joint > 0
    return float((joint[there] * np.log(joint[there] / apart[there])).sum())


def draw(
    truth: Crossroads, models: dict[str, TrainedModel], test: Tracks, path: Path, seed: int
) -> Path | None:
    """Draw futures of one walker by the truth and each model; None where matplotlib is absent.

    Those of the VRNN are coloured by their category at the junction.
    """
    one = test[:1].cut(stop=OBSERVE)
    past = np.stack(one.x)
    fans = {"True process": truth.future(past, HORIZON, SHOWN, seed=seed)[:, 0]}
    fans |= {
        n: forecast(one, model=m, horizon=HORIZON, samples=SHOWN, seed=seed).samples[:, 0]
        for n, m in models.items()
    }
    notes = {
        name: "left {:.0%}  straight {:.0%}  right {:.0%}".format(*truth.turn_shares(fan))
        for name, fan in fans.items()
    }
    categories = {}
    for name, model in models.items():
        if model.network.latent.listed:
            whole = np.concatenate([np.repeat(past, SHOWN, 0), fans[name]], 1)
            categories[name] = categories_at_junction(truth, model, whole, seed)
    try:
        return plot_futures(past[0], fans, path, notes=notes, units="m", categories=categories)
    except MissingExtraError as error:
        print(f"\nno picture: {error}")
        return None
