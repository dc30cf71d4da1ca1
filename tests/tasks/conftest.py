"""Fixtures of the tasks' tests."""

import pytest
from tests.helpers.trained_models import train_all

from vrnn.trained import TrainedModel


@pytest.fixture(scope="session")
def trained() -> dict[str, TrainedModel]:
    return train_all()
