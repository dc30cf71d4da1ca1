"""One run of training, from its first step or from where it was stopped."""

from pathlib import Path
from typing import NamedTuple

from accelerate import Accelerator

from vrnn.objectives.latent_use import LatentUse
from vrnn.trained import TrainedModel
from vrnn.training.prepare import Prepared
from vrnn.training.resume import open_folder
from vrnn.training.run_folder import save_config
from vrnn.training.trackers import MetricsFile, NoProgress, ProgressBar, Record, Tracker
from vrnn.training.trainer import Trainer


class Run(NamedTuple):
    """The outcome of training.

    Attributes:
        model: the model with the weights of the best validation.
        history: the records of metrics.jsonl that this call added.
        latent_use: how much the model uses its latents on the validation data. None without
            validation and of a model without latents.
        path: the run folder, None when nothing was written.
    """

    model: TrainedModel
    history: list[Record]
    latent_use: LatentUse | None
    path: Path | None


def run_prepared(
    prepared: Prepared,
    accelerator: Accelerator,
    folder: Path | None,
    resume: bool,
    tracker: Tracker | None,
    quiet: bool,
) -> Run:
    """Return the run of prepared data, from its first step or from where it was stopped.

    Args:
        prepared: the model and the data.
        accelerator: the `Accelerator` of this process.
        folder: run folder to write; None writes nothing.
        resume: go on from the last state in the folder.
        tracker: gets every record.
        quiet: show no progress.
    """
    state = open_folder(folder, prepared, resume)
    accelerator.wait_for_everyone()  # every process looks into the folder before one writes to it
    main = accelerator.is_main_process
    if main and folder and not (folder / "config.json").exists():
        save_config(folder, prepared.trained, prepared.fingerprint)
    trainer = Trainer(prepared, accelerator, folder, state)
    step = trainer.progress.step
    bar = ProgressBar(prepared.settings.steps, step) if main and not quiet else NoProgress()
    metrics = (
        MetricsFile(folder / "metrics.jsonl", step if state else None) if main and folder else None
    )
    try:
        for note in [f"going on from step {step}"] if state else prepared.notes:
            bar.say(note)
        if resume and state is None:
            bar.say("the run has no training state yet: starting it from step 0")
        trainer.run(bar, [t for t in (metrics, tracker) if t is not None and main])
    finally:
        bar.close()
        if metrics:
            metrics.close()
    trained = prepared.trained
    trained.network.load_state_dict(trainer.best)
    trained.network.eval()
    validate = None if trained.exact else trainer.validate
    use = None if validate is None else validate.measure_use()
    return Run(trained, trainer.history, use, folder)
