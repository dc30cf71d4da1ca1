"""Early stopping: how far a run has come, and when its validation has not improved for too long."""

from dataclasses import dataclass


@dataclass
class Progress:
    """How far a training run has come.

    Attributes:
        step: optimiser steps taken.
        best_value: value of the best validation, None before the first.
        best_step: step of the best validation.
        waited: validations since the best one.
        stopped: whether training has stopped early.

    >>> progress = Progress(step=10)
    >>> progress.validated(1.0, patience=1), progress.validated(0.5, patience=1), progress.stopped
    (True, False, True)
    """

    step: int = 0
    best_value: float | None = None
    best_step: int = 0
    waited: int = 0
    stopped: bool = False

    def validated(self, value: float, *, patience: int | None, counts: bool = True) -> bool:
        """Take in a validation, and return whether it is the best so far.

        Args:
            value: larger is better.
            patience: validations without a better one after which training stops; never when None.
            counts: whether a validation that is not the best counts against the patience.
        """
        if self.best_value is None or value > self.best_value:
            self.best_value, self.best_step, self.waited = value, self.step, 0
            return True
        if counts:
            self.waited += 1
            self.stopped = self.waited == patience
        return False
