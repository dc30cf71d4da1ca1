"""Settings of training: what makes no sense is refused, and what was written is read back."""

import json
from dataclasses import asdict, replace

import pytest
from tests.helpers.small_runs import SETTINGS

import vrnn
from vrnn.errors import ConfigError
from vrnn.training.config import TrainConfig

COUNT = "a whole number of at least"
RANGES = {
    "steps": (0, f"{COUNT} 1"),
    "batch_size": (2.5, f"{COUNT} 1"),
    "learning_rate": (0.0, "a number above 0"),
    "schedule": ("linear", "one of constant, cosine"),
    "warmup": (-1, f"{COUNT} 0"),
    "weight_decay": (-0.1, "a number of at least 0"),
    "ema_decay": (1.0, "a number of at least 0 and below 1"),
    "grad_clip": (0, "a number above 0"),
    "kl_warmup": (-1, f"{COUNT} 0"),
    "free_bits": (float("nan"), "a number of at least 0"),
    "free_bits_until": (1.5, "a number from 0 to 1"),
    "regulariser_weight": (-1.0, "a number of at least 0"),
    "objective": ("vimco", "one of elbo, iwae, fivo"),
    "samples": (0, f"{COUNT} 1"),
    "resample_below": (1.5, "a number from 0 to 1"),
    "resampling_term": ("yes", "True or False"),
    "energy_weight": (-1.0, "a number of at least 0"),
    "energy_rows": (0, f"{COUNT} 1"),
    "energy_samples": (1, f"{COUNT} 2"),
    "energy_from": (1.0, "a number of at least 0 and below 1"),
    "chunk": (0, f"{COUNT} 1 or None"),
    "truncate": (1, "True or False"),
    "window": (1, f"{COUNT} 2 or None"),
    "observe": (0, f"{COUNT} 1 or None"),
    "time_input": (None, "True or False"),
    "position_input": ("no", "True or False"),
    "holdout": (1.0, "a number of at least 0 and below 1"),
    "validate_every": (0, f"{COUNT} 1"),
    "patience": (0, f"{COUNT} 1 or None"),
    "log_every": (0, f"{COUNT} 1"),
    "seed": (-1, f"{COUNT} 0"),
}


def test_every_setting_has_a_range():
    parts = {"transform", "augment"}
    assert set(RANGES) == set(TrainConfig.__dataclass_fields__) - parts


@pytest.mark.parametrize("name", RANGES)
def test_values_outside_their_range_are_refused(name):
    value, expected = RANGES[name]
    with pytest.raises(ConfigError) as error:
        vrnn.TrainConfig(**{name: value})
    assert str(error.value) == f"{name}: expected {expected}, found {value!r}"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"objective": "iwae"}, "samples: expected at least 2 for objective='iwae', found 1"),
        (
            {"objective": "fivo", "samples": 4, "free_bits": 0.1},
            "free_bits: expected 0 for objective='fivo', found 0.1",
        ),
        ({"resampling_term": True}, "resampling_term: expected objective='fivo', found elbo"),
        ({"truncate": True}, "set chunk to a number"),
        ({"chunk": 4, "energy_weight": 1.0}, "chunk: expected the elbo alone, found energy_weight"),
        (
            {"chunk": 4, "objective": "iwae", "samples": 2, "energy_weight": 0.0},
            "chunk: expected the elbo alone, found objective='iwae'",
        ),
        ({"window": 8, "observe": 8}, "observe: expected less than the window of 8, found 8"),
    ],
)
def test_settings_that_do_not_go_together_are_refused(change, message):
    with pytest.raises(ConfigError, match=message):
        replace(SETTINGS, **change)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"rates": (1.0, 0.0)}, "augment.rates: expected one or more numbers, each above 0"),
        ({"rates": ()}, "augment.rates: expected one or more numbers, each above 0"),
        ({"speed": (0.0, 1.0)}, "augment.speed: expected 2 numbers, each above 0"),
        ({"speed": (2.0, 1.0)}, "augment.speed: expected the smaller factor first"),
        ({"transpose": -1}, "augment.transpose: expected a whole number of at least 0, found -1"),
        ({"jitter": -0.1}, "augment.jitter: expected a number of at least 0, found -0.1"),
        ({"prob": 1.5}, "augment.prob: expected a number from 0 to 1, found 1.5"),
        ({"until": -0.5}, "augment.until: expected a number from 0 to 1, found -0.5"),
    ],
)
def test_changes_of_tracks_that_cannot_be_are_refused(change, message):
    with pytest.raises(ConfigError, match=message):
        vrnn.AugmentConfig(**change)


def test_settings_come_back_from_json():
    augment = vrnn.AugmentConfig(flip=True, speed=(0.5, 2.0), rates=(1.0, 0.5))
    transform = vrnn.TransformConfig(positions=("x", "y"))
    config = vrnn.TrainConfig(window=9, augment=augment, transform=transform)
    assert TrainConfig.from_dict(json.loads(json.dumps(asdict(config)))) == config


def test_unknown_settings_are_named():
    with pytest.raises(ConfigError, match="training: unknown settings: average, clip"):
        TrainConfig.from_dict({**asdict(SETTINGS), "clip": 1.0, "average": 0.9})
