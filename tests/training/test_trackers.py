"""Records of a run, as they are read back."""

import json

from vrnn.training.trackers import read_metrics


def test_metrics_file_with_a_line_cut_short_is_read(tmp_path):
    path = tmp_path / "metrics.jsonl"
    path.write_text(json.dumps({"step": 1}) + "\n" + '{"step": 2, "lo')
    assert read_metrics(path) == [{"step": 1}] and read_metrics(tmp_path / "none") == []
