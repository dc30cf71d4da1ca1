"""A fixture that keeps the figures that are saved."""

import pytest

from vrnn.plots import canvas


@pytest.fixture
def drawn(monkeypatch):
    """Collect the figures that are saved."""
    figures, save = [], canvas.save

    def keep(fig, path):
        figures.append(fig)
        return save(fig, path)

    monkeypatch.setattr(canvas, "save", keep)
    return figures
