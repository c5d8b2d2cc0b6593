"""The click model: how well it and others foresee clicks that they have not seen, and the grades that came of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rankhammer.dashboard.charts import LINE, Plot, Series, Span, bar
from rankhammer.dashboard.shapes import dig, mapping, number, sequence, text

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rankhammer.dashboard.results import Results

_MEASURES = ("log_likelihood", "perplexity", "conditional_perplexity")


def view(results: Results, run: int) -> dict[str, Any]:
    """Describe the fit of a run.

    Args:
        results: Of an environment.
        run: Number in the history.
    """
    report, measures = results.report("labeling_report", run), results.report("click_model_measures", run)
    held_out = mapping(measures.content.get("held_out"))
    chosen = text(report.content.get("click_model"))
    corpora = mapping(report.content.get("corpora"))
    return {
        "fault": report.fault,
        "chosen": chosen,
        "chosen_by": text(dig(report.content, "click_model_chosen_by", "reason")),
        "corpora": [_corpus(name, mapping(of), mapping(held_out.get(name))) for name, of in corpora.items()],
    }


def _corpus(name: str, facts: Mapping[str, Any], held_out: Mapping[str, Any]) -> dict[str, Any]:
    models = {model: mapping(of) for model, of in held_out.items()}
    fit = mapping(facts.get("fit"))
    return {
        "name": name,
        "n_iter": number(fit.get("n_iter")),
        "converged": fit.get("converged"),
        "parameters": {key: value for key, one in fit.items() if (value := number(one)) is not None},
        "models": [_measured(model, of) for model, of in models.items()],
        "perplexity": _perplexity(name, models),
        "clicks": _clicks(name, models),
        "grades": _grades(mapping(facts.get("grades"))),
    }


def _measured(model: str, facts: Mapping[str, Any]) -> dict[str, Any]:
    values = {measure: number(facts.get(measure)) for measure in (*_MEASURES, "n_iter", "n_serps")}
    return {"name": model, "converged": facts.get("converged"), **values}


def _by_position(facts: Mapping[str, Any], measure: str) -> dict[float, float]:
    values = [number(value) for value in sequence(dig(facts, "positions", measure))]
    return {float(place): value for place, value in enumerate(values, 1) if value is not None}


def _perplexity(corpus: str, models: Mapping[str, Mapping[str, Any]]) -> Plot | None:
    series = [Series(model, _by_position(of, "conditional_perplexity"), LINE) for model, of in models.items()]
    kept = [one for one in series if one.points]
    title = f"{corpus}: conditional perplexity on held-out result pages"
    x, y = "position on the result page (1: first)", "conditional perplexity (1: best)"
    return Plot(title, x, y, kept) if kept else None


def _clicks(corpus: str, models: Mapping[str, Mapping[str, Any]]) -> Plot | None:
    predicted = [Series(model, _by_position(of, "predicted_click_through"), LINE) for model, of in models.items()]
    seen = next((points for of in models.values() if (points := _by_position(of, "click_through"))), {})
    kept = [one for one in (Series("seen", seen), *predicted) if one.points]
    title = f"{corpus}: click-through seen and foreseen, on held-out result pages"
    x, y = "position on the result page (1: first)", "clicks per document (0 to 1)"
    return Plot(title, x, y, kept) if len(kept) > 1 else None


def _grades(grades: Mapping[str, Any]) -> list[dict[str, Any]]:
    counts = {grade: value for grade, one in grades.items() if (value := number(one)) is not None}
    span = Span(0.0, max([*counts.values(), 1]))
    return [{"grade": grade, "n": n, "bar": bar(n, span)} for grade, n in counts.items()]
