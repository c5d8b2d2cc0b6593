"""Fit CLAX's click models to a log and print what they cost and foresee; runs in the peers' own environment.

Usage: python clax_fit.py --log DIR [--models dbn,ubm] [--learning-rate 0.003] [--batch-size 4096]

DIR holds train/ and test/ in the shape of the `serps` hand-off. AdamW, 50 epochs, the trainer's early stopping and the
learning rate .003 are those of CLAX's README; batches of 4096, and the rate .01 that can be asked for, those of its
experiments on Yandex' log: with .01 it is faster at nearly the same quality. A log of less than 100,000 pages gets
batches of 512, which are better for it there. A tenth of the training pages, the last, is what early stopping looks at.
Reading, numbering the ids and cutting batches are done before the clock starts; compiling by JAX is within, for nobody
can fit without.
One JSON line per model.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import clax
import numpy as np
import optax
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from flax import nnx

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

MODELS: dict[str, tuple[str, tuple[str, ...], dict[str, Any]]] = {
    "dbn": ("DynamicBayesianNetwork", ("query_doc_pairs",), {}),
    "sdbn": ("DynamicBayesianNetwork", ("query_doc_pairs",), {"fix_continuation": True}),
    "ubm": ("UserBrowsingModel", ("positions", "query_doc_pairs"), {}),
    "pbm": ("PositionBasedModel", ("positions", "query_doc_pairs"), {}),
    "ccm": ("ClickChainModel", ("query_doc_pairs",), {}),
    "dcm": ("DependentClickModel", ("positions", "query_doc_pairs"), {}),
    "cascade": ("CascadeModel", ("query_doc_pairs",), {}),
    "dctr": ("DocumentCTRModel", ("query_doc_pairs",), {}),
    "rctr": ("RankCTRModel", ("positions",), {}),
    "gctr": ("GlobalCTRModel", (), {}),
}
"""Our name to CLAX's class, the sizes that it asks for, and further arguments."""

VALIDATION_SHARE, EVALUATION_BATCH, SMALL, SEED = 0.1, 8192, 100_000, 42
Pages = dict[str, Any]


class Batches:
    """What CLAX's trainer iterates over: a dict of arrays per batch, from memory, in a new order each epoch."""

    def __init__(self, pages: Pages, size: int, *, shuffled: bool = False) -> None:
        self.pages, self.size, self.n = pages, size, len(pages["mask"])
        self.rng = np.random.default_rng(SEED) if shuffled else None

    def __len__(self) -> int:
        return (self.n + self.size - 1) // self.size

    def __iter__(self) -> Iterator[Pages]:
        order = np.arange(self.n) if self.rng is None else self.rng.permutation(self.n)
        for begin in range(0, self.n, self.size):
            rows = order[begin : begin + self.size]
            yield {name: values[rows] for name, values in self.pages.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--log", type=Path, required=True)
    parser.add_argument("--models", default="dbn")
    parser.add_argument("--learning-rate", type=float, default=0.003)
    parser.add_argument("--batch-size", type=int)
    parser.add_argument("--epochs", type=int, default=50)
    given = parser.parse_args()
    train, test, n_pairs = read(given.log)
    given.batch_size = given.batch_size or (512 if len(train["mask"]) < SMALL else 4096)
    for name in given.models.split(","):
        with contextlib.redirect_stdout(sys.stderr):
            model, facts = fit(name, train, n_pairs, given)
            figures = {**facts, **measure(model, test)}
        print(json.dumps({"model": name, **figures, "load": round(os.getloadavg()[0], 2)}), flush=True)


def read(log: Path) -> tuple[Pages, Pages, int]:
    """Number the (query, document) pairs of both parts, and pad each page to the longest."""
    tables = [
        pq.read_table(log / part, columns=["query_cluster_id", "doc_ids", "clicked"]) for part in ("train", "test")
    ]
    table = pa.concat_tables(tables).combine_chunks()
    length = pc.list_value_length(table["doc_ids"]).to_numpy().astype(np.int64)
    row = np.repeat(np.arange(len(length)), length)
    place = np.arange(len(row)) - np.repeat(np.cumsum(length) - length, length)
    query = codes(table["query_cluster_id"])[row]
    document = codes(pc.list_flatten(table["doc_ids"]))
    keys, pair = np.unique(query * (document.max() + 1) + document, return_inverse=True)
    shape = (len(length), int(length.max()))
    pages = {
        "query_doc_ids": np.zeros(shape, np.int32),
        "positions": np.tile(np.arange(1, shape[1] + 1, dtype=np.int16), (shape[0], 1)),
        "mask": np.zeros(shape, bool),
        "clicks": np.zeros(shape, np.float32),
    }
    pages["query_doc_ids"][row, place] = pair
    pages["mask"][row, place] = True
    pages["clicks"][row, place] = pc.list_flatten(table["clicked"]).to_numpy(zero_copy_only=False)
    n_train = len(tables[0])
    return slice_pages(pages, 0, n_train), slice_pages(pages, n_train, shape[0]), len(keys)


def codes(texts: pa.ChunkedArray) -> NDArray[np.int64]:
    found: NDArray[np.int64] = texts.combine_chunks().dictionary_encode().indices.to_numpy().astype(np.int64)
    return found


def slice_pages(pages: Pages, begin: int, end: int) -> Pages:
    return {name: values[begin:end] for name, values in pages.items()}


def fit(name: str, train: Pages, n_pairs: int, given: argparse.Namespace) -> tuple[Any, dict[str, Any]]:
    """Train as CLAX's README does: (model, seconds and epochs)."""
    kind, asked, further = MODELS[name]
    sizes = {"query_doc_pairs": n_pairs, "positions": train["mask"].shape[1]}
    model = getattr(clax, kind)(**{key: sizes[key] for key in asked}, **further, rngs=nnx.Rngs(SEED))
    n = len(train["mask"])
    n_fit = n - int(n * VALIDATION_SHARE)
    trainer = clax.Trainer(optimizer=optax.adamw(given.learning_rate), epochs=given.epochs)
    batches = Batches(slice_pages(train, 0, n_fit), given.batch_size, shuffled=True)
    validation = Batches(slice_pages(train, n_fit, n), EVALUATION_BATCH)
    started = time.perf_counter()
    epochs = trainer.train(model, batches, validation)
    return model, {"fit_s": round(time.perf_counter() - started, 2), "epochs": len(epochs)}


def measure(model: Any, test: Pages) -> dict[str, float]:
    """Return the figures that Rankhammer's own models are given, by the same formula."""
    model.eval()
    batches = list(Batches(test, EVALUATION_BATCH))
    predict = nnx.jit(lambda model, batch: (model.predict_conditional_clicks(batch), model.predict_clicks(batch)))
    pairs = [predict(model, batch) for batch in batches]
    conditional, marginal = (
        np.exp(np.concatenate([np.asarray(pair[i], np.float64) for pair in pairs])) for i in (0, 1)
    )
    shown, logs = test["mask"], log_probability(test, conditional)
    return {
        "log_likelihood": round(float(logs[shown].mean()), 5),
        "perplexity": perplexity(log_probability(test, marginal), shown),
        "conditional_perplexity": perplexity(logs, shown),
    }


def log_probability(pages: Pages, probability: NDArray[np.float64]) -> NDArray[np.float64]:
    bounded = np.clip(probability, 1e-9, 1 - 1e-9)
    return np.log(np.where(pages["clicks"] > 0, bounded, 1 - bounded))


def perplexity(logs: NDArray[np.float64], shown: NDArray[np.bool_]) -> float:
    """Return 2 ** -(mean log2-probability) of each position, averaged by the documents shown there."""
    n = shown.sum(0)
    by_position = np.exp(-np.where(shown, logs, 0.0).sum(0) / n)
    return round(float((by_position * n).sum() / n.sum()), 5)


if __name__ == "__main__":
    main()
