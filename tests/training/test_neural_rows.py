"""A network that is trained from files: the same bytes as from memory, and its rows stay as long as they are needed."""

from __future__ import annotations

from matrix_file import write_matrix

from rankhammer.rankers import FitSettings
from rankhammer.rankers.neural import NeuralOptions, NeuralRanker
from rankhammer.training import fit_rows
from rankhammer.training.fit_rows import rows_in_memory, rows_on_disk
from rankhammer.training.matrix import read_corpus

SETTINGS = FitSettings(n_rounds=5, early_stopping_rounds=3, metric_k=10, n_threads=1, random_state=7)


def test_rows_on_disk_are_read_in_each_round_and_give_the_same_bytes(tmp_path, monkeypatch):
    monkeypatch.setattr(fit_rows, "disk", lambda: None)
    path = str(write_matrix(tmp_path / "part-0.parquet"))
    ranker = NeuralRanker(NeuralOptions(width=4, members=1, batch_rows=128))
    for fold in (0, None):
        found = []
        for rows in (
            rows_in_memory(ranker, read_corpus([path]), fold, "clicks"),
            rows_on_disk(ranker, [path], fold, "clicks"),
        ):
            found.append(ranker.fit(rows.train, rows.valid, params={}, settings=SETTINGS))
            if rows.folder:
                rows.folder.cleanup()
        assert found[0] == found[1]
