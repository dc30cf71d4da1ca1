"""Training curves with validation beside them."""

import numpy as np
import pytest
from tests.helpers.pictures import assert_tidy

from vrnn.errors import DataError
from vrnn.plots import canvas, plot_training

pytest.importorskip("matplotlib")

RECORDS = [
    {"step": s, "loss": 1 / (s + 1), "kl": 0.1 * s, "val/loss": 1.2 / (s + 1)} for s in range(100)
]


def test_training_puts_validation_beside_training(tmp_path, drawn):
    extra = [
        {"step": 100, "val": {"loss": 0.01, "elbo": -1.0}, "note": "best"},
        {"step": 101, "loss": float("nan")},
    ]
    plot_training([*RECORDS, *extra], tmp_path / "t.png", title="runs/a")
    fig = drawn[0]
    assert [axis.get_title(loc="left") for axis in fig.axes if axis.axison] == [
        "loss",
        "elbo",
        "kl",
    ]
    validation = fig.axes[0].lines[-1]
    assert validation.get_color() == canvas.TRUTH and len(validation.get_xdata()) == 101
    assert_tidy(fig)


def test_running_mean_of_a_line_is_the_line(tmp_path, drawn):
    plot_training([{"step": s, "loss": 2.0 * s} for s in range(400)], tmp_path / "t.png")
    mean = drawn[0].axes[0].lines[1]
    np.testing.assert_allclose(mean.get_ydata(), 2.0 * mean.get_xdata(), atol=1e-9)


def test_training_without_numbers_is_refused(tmp_path):
    with pytest.raises(DataError, match="has training logged"):
        plot_training([{"step": 1, "note": "x"}], tmp_path / "t.png")
