"""How often a verdict from few queries is wrong: the evidence for `training.verdict_min_clusters`.

The per-query differences of a finished run are taken for all queries that there are. Samples of n of them are drawn,
and for each the interval as the evaluation makes it. Counted is how often the interval misses the true mean, below and
above: with a 95 % interval each should be 2.5 %. One wholly below 0 where the difference is 0 is a wrong "worse".

    python benchmarks/verdict_coverage.py data/07_model_output/evaluation --metric ndcg@10
"""

from __future__ import annotations

import argparse
import json

import numpy as np
import pyarrow.dataset as ds

from rankhammer.evaluation.bootstrap import Bootstrap, resampled_means

SIZES = (5, 8, 10, 15, 20, 30, 50, 100)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("evaluation")
    parser.add_argument("--metric", default="ndcg@10")
    parser.add_argument("--samples", type=int, default=4000)
    parser.add_argument("--resamples", type=int, default=1000)
    options = parser.parse_args()
    for key, population in populations(options.evaluation, options.metric):
        for n in SIZES:
            below, above = missed(population, n, options.samples, options.resamples)
            facts = {**key, "n_population": len(population), "n": n, "coverage": round(1 - below - above, 4)}
            print(json.dumps({**facts, "wrong_worse": round(below, 4), "wrong_better": round(above, 4)}))


def populations(path: str, metric: str):
    table = ds.dataset(path, partitioning="hive").to_table().to_pandas()
    table = table[table["metric"] == metric]
    for (corpus, truth), rows in table.groupby(["corpus", "truth"], observed=True):
        values = rows.pivot_table(index=["query_cluster_id", "query"], columns="system", values="value")
        for against in ("logged", "baseline"):
            if against in values:
                differences = (values["ranker"] - values[against]).dropna().to_numpy()
                yield {"corpus": str(corpus), "truth": str(truth), "against": against}, differences


def missed(population: np.ndarray, n: int, n_samples: int, n_resamples: int) -> tuple[float, float]:
    """Return how often the interval lies wholly below the truth, and wholly above it."""
    truth = population.mean()
    samples = np.random.default_rng(n).choice(population, (n, n_samples))
    # The columns are resampled by the same draws, which changes nothing for each of them.
    below = above = 0
    for start in range(0, n_samples, 200):
        part = samples[:, start : start + 200]
        means = resampled_means(part, np.arange(n), Bootstrap(n_resamples, random_state=start))
        lower, upper = np.quantile(means, [0.025, 0.975], axis=0)
        below += int((upper < truth).sum())
        above += int((lower > truth).sum())
    return below / n_samples, above / n_samples


if __name__ == "__main__":
    main()
