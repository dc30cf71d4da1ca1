"""What training says at its end: the bound, the use of latents, and the next commands."""

import shlex
from collections.abc import Sequence
from pathlib import Path

from vrnn.cli.data import ColumnFlags
from vrnn.cli.flags import CommandWords
from vrnn.console import visible
from vrnn.data.describe import describe
from vrnn.data.tracks import Tracks
from vrnn.errors import write
from vrnn.inference.traits import reads_prefix
from vrnn.objectives.latent_use import LatentUse
from vrnn.tasks.latent_use import use_sentences
from vrnn.trained import TrainedModel
from vrnn.training.trackers import Record, best_record


def summary(
    model: TrainedModel,
    records: list[Record],
    tracks: Tracks,
    data: Path,
    columns: ColumnFlags,
    out: Path,
    unseen: bool,
    use: LatentUse | None = None,
    chosen: dict[str, str] | None = None,
    start: str = "",
    table: Sequence[str] = (),
) -> str:
    """Return a summary of a finished run, in a few lines.

    Args:
        model: the trained model.
        records: of metrics.jsonl.
        tracks: for a window that suits them.
        data, columns: what the next commands are shown with.
        out: the run folder.
        unseen: `data` was not trained on.
        use: how much the model uses its latents on validation data; None where it has none.
        chosen: settings of the model that were chosen for the data.
        start: name of the model that training started from; empty for random weights.
        table: lines about tracks that were not trained on.
    """
    lines = [f"run            {out}"]
    if chosen:
        named = ", ".join(f"--{name} {shlex.quote(value)}" for name, value in chosen.items())
        lines.append(f"chosen         {named}, for such data; give others to change them")
    if start:
        lines.append(f"started from   {start}; --from scratch starts from random weights")
    best = best_record(records, model.training["energy_weight"])
    if best:
        lines += [
            f"validation     {best['val_bound']:.4f} nats per step, in data units, "
            f"at step {best['step']} (weights kept)",
            f"               {bound_name(model)}",
        ]
        if start and best["step"] == 0:
            lines.append(f"               training did not improve on {start}, which is kept")
        if "val_score" in best:
            lines.append(
                f"               {best['val_score']:.4f} energy score of futures drawn alone, "
                "in steps of the training data"
            )
        if use is not None:
            first, *more = (write(text, CommandWords()) for text in use_sentences(use, model))
            lines += [f"latents        {first}", *(f"               {text}" for text in more)]
    elif records and records[-1].get("bound") is not None:
        lines += [
            f"training       {records[-1]['bound']:.4f} nats per step, in data units, "
            "of the last batch; no validation",
            f"               {bound_name(model)}",
        ]
    lines += table
    then = "next" if unseen else "next (scores count on tracks that were not trained on)"
    source = shlex.quote(str(data)) + columns.words()
    lines += [then, *(f"  {command}" for command in _next(model, tracks, out, source))]
    return "\n".join(map(visible, lines))


def bound_name(model: TrainedModel) -> str:
    """Return what the number of a model is a bound on, and which bound."""
    training, of = model.training, model.bounds_what
    if model.exact:
        return f"{of}, exact; a lower bound where points are missing"
    if training["objective"] != "elbo":
        unit = "particles" if training["objective"] == "fivo" else "samples"
        name = training["objective"].upper()
        return f"lower bound ({name} with {training['samples']} {unit}) of {of}"
    if not model.has_posterior:
        return f"lower bound of {of}; the KL to N(0, I) is a regulariser and no part of it"
    return f"lower bound (ELBO) of {of}"


def _next(model: TrainedModel, tracks: Tracks, out: Path, source: str) -> list[str]:
    """Return the next commands, each of which this model and this data accept."""
    run, network = f"--model {shlex.quote(str(out))}", model.network
    found = describe(tracks)
    if network.supervised:
        return [f"vrnn evaluate {source} {run}", f"vrnn likelihood {source} {run}"]
    commands = []
    observe, window = model.observe or found.observe, model.training["window"]
    discrete = not any(
        network.observation.continuous
    )  # no distance says how far such a forecast is off
    if discrete:
        commands.append(f"vrnn likelihood {source} {run}")
    elif observe:
        ahead = max(1, window - observe) if window else found.horizon
        commands.append(f"vrnn evaluate {source} {run} --observe {observe} --horizon {ahead}")
    horizon = found.horizon or 12
    inputs = " --inputs hold" if model.preprocessor.u_names else ""
    picture = "" if discrete else " --plot forecast.png"
    commands.append(
        f"vrnn forecast {source} {run} --horizon {horizon}{inputs} --out forecast.csv{picture}"
    )
    commands.append(f"vrnn score {source} {run} --out scores.csv")
    if not reads_prefix(network) and not model.preprocessor.u_names:
        picture = "" if discrete else " --plot new.png"
        steps = round(found.median_length)
        commands.append(f"vrnn generate {run} --steps {steps} --out new.csv{picture}")
    return commands
