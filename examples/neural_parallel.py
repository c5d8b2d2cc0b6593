"""A neural ranker that several processes train together, with checkpoints, and an evaluator that stops it early.

rankhammer experiment run examples/neural_parallel.py:train --local --role chief --role worker --role evaluator \
    --file matrix.parquet=<one corpus of data/05_model_input/training_matrix>
rankhammer experiment run examples/neural_parallel.py:train --env=prod --extra neural --role chief:memory_mb=1536 \
    --role worker:memory_mb=1536 --role evaluator:memory_mb=1536 --file matrix.parquet=<a file of this machine>

Arguments: rounds, patience, fold (held out), and any parameter of the ranker `neural`. The best network is
`results/model.json` in the experiment's folder. Needs the extra `neural`.
"""

from __future__ import annotations

import json
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from rankhammer.evaluation.metrics import ndcg
from rankhammer.neural_model import read_model
from rankhammer.rankers.neural import NeuralOptions, NeuralRanker, finished, new_network
from rankhammer.rankers.neural_batches import QueryStream
from rankhammer.rankers.neural_parallel import agreed, join
from rankhammer.rankers.query_batches import BatchWriter
from rankhammer.training.matrix import stream_corpus

if TYPE_CHECKING:
    from rankhammer.experiments import TaskContext
    from rankhammer.rankers.query_batches import BatchFiles

MATRIX, SEED, K = "matrix.parquet", 42, 10
BEST, RESULT = "results/best.json", "results/model.json"


def train(context: TaskContext) -> None:
    """Run in every role."""
    if context.role == "evaluator":
        evaluate(context)
        return
    place = join(context.rank, context.world_size)
    options = options_of(context)
    queries = NeuralRanker(options).prepare_batches(rows(context, is_validation=False))
    network = new_network(options, len(queries.scaling.inputs), SEED, place)
    share = (context.rank, context.world_size)
    stream = QueryStream(queries.batches, queries.scaling, options.batch_rows, share)
    latest = context.checkpoints.latest()
    if latest is not None:
        network.load(context.checkpoints.fetch(latest).joinpath("state.npz").read_bytes())
    for number in range((latest or 0) + 1, int(context.arguments.get("rounds", 100)) + 1):
        began = time.perf_counter()
        network.begin_round(number, context.rank)
        losses = [network.learn(batch) for batch in stream.round(SEED, number)]
        if context.is_chief:
            loss = float(np.mean([np.asarray(loss) for loss in losses]))
            context.metrics.log(number, loss=loss, seconds=time.perf_counter() - began)
            save(context, number, network.save(), finished(network, queries).to_bytes())
        if stops(context, number):
            return


def options_of(context: TaskContext) -> NeuralOptions:
    """Read the ranker's parameters among the arguments."""
    known = NeuralOptions.model_fields.keys() & context.arguments.keys()
    return NeuralOptions.model_validate({name: context.arguments[name] for name in known})


def rows(context: TaskContext, *, is_validation: bool) -> BatchFiles:
    """Cut the matrix into batches on this machine's disk: there is never more than one of them in memory."""
    writer = BatchWriter(Path(tempfile.mkdtemp(prefix="rows-")))
    for part in stream_corpus([MATRIX]):
        writer.add(part.rows_of(int(context.arguments.get("fold", 0)), "clicks", is_validation=is_validation))
    return writer.finish()


def save(context: TaskContext, step: int, state: bytes, model: bytes) -> None:
    """Write what training goes on from, and the network as everything else reads it."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "state.npz").write_bytes(state)
        Path(folder, "model.json").write_bytes(model)
        context.checkpoints.save(step, Path(folder))


def stops(context: TaskContext, step: int) -> bool:
    """Say whether the evaluator has seen no better network for long; all processes leave in the same round."""
    patience, found = int(context.arguments.get("patience", 15)), None
    if context.is_chief:
        found = context.client.read(BEST)
    is_late = bool(found) and json.loads(found or b"{}")["step"] + patience <= step
    return bool(agreed(float(is_late))) if context.world_size > 1 else is_late


def evaluate(context: TaskContext) -> None:
    """Measure each network on the held-out queries, and keep the best."""
    batches, best = rows(context, is_validation=True), -1.0
    for step in context.new_checkpoints(0.1):
        content = context.checkpoints.fetch(step).joinpath("model.json").read_bytes()
        value = measure(content, batches)
        context.metrics.log(step, ndcg=value)
        if value > best:
            best = value
            context.client.write(RESULT, content)
            context.client.write(BEST, json.dumps({"step": step, "ndcg": value}).encode())


def measure(model: bytes, batches: Any) -> float:
    """Return the mean NDCG@10 of a network."""
    network = read_model(model)
    found = [
        ndcg(network.score(one.features), one.label, one.qid, K) for one in (batches[n] for n in range(len(batches)))
    ]
    return float(np.nanmean(np.concatenate(found)))
