"""Pictures of forecasts, imputed gaps, reliability, scores, tracks and training.

They are drawn without a display and written whole or not at all.
"""

from vrnn.plots.forecast import plot_forecast
from vrnn.plots.futures import plot_futures
from vrnn.plots.imputed import plot_imputed
from vrnn.plots.reliability import plot_reliability
from vrnn.plots.scores import plot_scores, plot_time_steps
from vrnn.plots.tracks import plot_tracks
from vrnn.plots.training import plot_training

__all__ = [
    "plot_forecast",
    "plot_futures",
    "plot_imputed",
    "plot_reliability",
    "plot_scores",
    "plot_time_steps",
    "plot_tracks",
    "plot_training",
]
