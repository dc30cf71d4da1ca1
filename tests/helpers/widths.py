"""Widths that the configs of models mean."""

from tests.helpers.linear_models import inputs_of
from tests.models.settings import WrappedConfig


def inputs_width(config) -> int:
    """Return the width of u in a batch for the model of a config."""
    if isinstance(config, WrappedConfig):
        return inputs_of(config.inner) + config.more_inputs
    return inputs_of(config)
