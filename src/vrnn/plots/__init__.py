"""Pictures of forecasts, tracks and training, drawn without a display, written whole or not at all."""

from vrnn.plots.forecast import plot_forecast
from vrnn.plots.futures import plot_futures
from vrnn.plots.tracks import plot_tracks
from vrnn.plots.training import plot_training

__all__ = ["plot_forecast", "plot_futures", "plot_tracks", "plot_training"]
