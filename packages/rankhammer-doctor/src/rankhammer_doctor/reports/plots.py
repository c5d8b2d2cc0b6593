"""Plots as inline SVG; every text is escaped."""

from __future__ import annotations

import math
from html import escape
from typing import TYPE_CHECKING

from rankhammer_doctor.units import format_bytes, format_ms

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rankhammer_doctor.dynamic_rules.context import RunContext
    from rankhammer_doctor.event_log.run import Executor, Run, Stage

_WIDTH, _HEIGHT, _LEFT, _BOTTOM, _TOP = 880, 240, 60, 28, 12
_TASKS, _EXECUTORS, _LIMIT = "#2a6f97", "#bc4b1c", "#444"
_KINDS = (("heap", "#2a6f97"), ("native", "#8ab6d6"), ("python", "#e09f3e"), ("other", "#9a8c98"))
_MOST_EXECUTORS, _MOST_STAGES = 40, 30
_ROW = 18


def timeline(run: Run) -> str:
    """Draw how many tasks ran, and how many executors were there, over time."""
    tasks = run.task_timeline.averages()
    begin, end = run.first_ms, max(run.final_ms, run.first_ms + 1)
    if not tasks or run.task_timeline.start_ms is None:
        return ""
    counts = executor_counts(run)
    top = max([1.0, *tasks, *(float(count) for _, count in counts)])
    start, width = run.task_timeline.start_ms, run.task_timeline.width_ms
    task_points = [(start + place * width, value) for place, value in enumerate(tasks)]
    # After the last bin nothing ran.
    task_points.append((start + len(tasks) * width, 0.0))
    shapes = [
        _steps(task_points, (begin, end, top), _TASKS, filled=True),
        _steps([(time, float(count)) for time, count in counts], (begin, end, top), _EXECUTORS, filled=False),
        *_axes(top, format_ms(end - begin)),
        _legend([("tasks at once", _TASKS), ("executors", _EXECUTORS)]),
    ]
    return _svg(_HEIGHT, shapes, "Tasks and executors over time")


def executor_counts(run: Run) -> list[tuple[int, int]]:
    """Return (time, executors from then on), in order."""
    changes = []
    for one in run.workers:
        changes.append((one.added_ms or run.first_ms, 1))
        if one.removed_ms is not None:
            changes.append((one.removed_ms, -1))
    found, count = [(run.first_ms, 0)], 0
    for time, change in sorted(changes):
        count += change
        found.append((time, count))
    return [*found, (run.final_ms, count)]


def memory_by_kind(context: RunContext) -> str:
    """Draw the peaks of each executor's memory, by kind, against its container."""
    measured = [one for one in context.run.workers if one.peaks.heap or one.peaks.jvm_rss]
    if not measured:
        return ""
    measured = sorted(measured, key=lambda one: -sum(memory_parts(one)))[:_MOST_EXECUTORS]
    limit = context.container.total
    top = max([limit, *(sum(memory_parts(one)) for one in measured)])
    shapes, height = [], _TOP + _ROW * (len(measured) + 2)
    for row, one in enumerate(measured):
        y = _TOP + _ROW * (row + 1)
        shapes.append(_text(_LEFT - 6, y + 11, one.executor_id, "end"))
        x = float(_LEFT)
        for (name, colour), size in zip(_KINDS, memory_parts(one), strict=True):
            width = (_WIDTH - _LEFT) * size / top
            title = f"executor {one.executor_id}: {name} {format_bytes(size)}"
            shapes.append(_bar((x, y, width, _ROW - 5), colour, title))
            x += width
    x = _LEFT + (_WIDTH - _LEFT) * limit / top
    shapes.append(
        f'<line x1="{x:.1f}" y1="{_TOP}" x2="{x:.1f}" y2="{height}" stroke="{_LIMIT}" stroke-dasharray="4 3"/>'
    )
    shapes.append(_legend([*_KINDS, (f"container {format_bytes(limit)}", _LIMIT)]))
    return _svg(height, shapes, "Peak memory by kind")


def memory_parts(executor: Executor) -> tuple[int, int, int, int]:
    """Return peaks of heap, native, Python and other memory; native is the JVM's process without its heap."""
    peaks = executor.peaks
    native = max(0, peaks.jvm_rss - peaks.heap) if peaks.jvm_rss else peaks.off_heap
    return peaks.heap, native, peaks.python_rss, peaks.other_rss


def skew(run: Run) -> str:
    """Draw median, third quartile and slowest task of the stages that take longest, on a logarithmic scale."""
    stages = [stage for stage in run.stages.values() if stage.n_complete > 1]
    stages = sorted(stages, key=lambda stage: -stage.totals.run_ms)[:_MOST_STAGES]
    if not stages:
        return ""
    top = max(max(10.0, stage.distribution("duration_ms").maximum) for stage in stages)
    shapes = [shape for row, stage in enumerate(stages) for shape in _skew_row(stage, _TOP + _ROW * (row + 1), top)]
    shapes.append(_legend([("median to third quartile", _TASKS), ("slowest task", _EXECUTORS)]))
    return _svg(_TOP + _ROW * (len(stages) + 2), shapes, "Task times by stage (logarithmic)")


def _skew_row(stage: Stage, y: float, top: float) -> list[str]:
    times, span = stage.distribution("duration_ms"), _WIDTH - _LEFT - 10

    def place(value: float) -> float:
        return _LEFT + span * math.log(max(1.0, value)) / math.log(top)

    middle, quartile, slowest = place(times.median), place(times.values[15]), place(times.maximum)
    span_text = f"median {format_ms(times.median)}, slowest {format_ms(times.maximum)}"
    title = f"stage {stage.stage_id} ({stage.label[:80]}): {span_text}"
    line = f'<line x1="{middle:.1f}" y1="{y + 6}" x2="{slowest:.1f}" y2="{y + 6}" stroke="#bbb"/>'
    return [
        _text(_LEFT - 6, y + 11, str(stage.stage_id), "end"),
        line,
        _bar((middle, y, max(3.0, quartile - middle), _ROW - 6), _TASKS, title),
        _bar((slowest - 2, y, 4, _ROW - 6), _EXECUTORS, title),
    ]


def _steps(points: Sequence[tuple[int, float]], frame: tuple[int, int, float], colour: str, *, filled: bool) -> str:
    begin, end, top = frame
    height = _HEIGHT - _BOTTOM - _TOP
    coordinates, last = [], float(_HEIGHT - _BOTTOM)
    for time, value in points:
        share = min(1.0, max(0.0, (time - begin) / (end - begin)))
        x, y = _LEFT + (_WIDTH - _LEFT) * share, _TOP + height * (1 - value / top)
        coordinates += [f"{x:.1f},{last:.1f}", f"{x:.1f},{y:.1f}"]
        last = y
    style = f'fill="{colour}" fill-opacity="0.35"' if filled else f'fill="none" stroke="{colour}" stroke-width="2"'
    return f'<polyline points="{" ".join(coordinates)}" {style}/>'


def _axes(top: float, span: str) -> list[str]:
    bottom = _HEIGHT - _BOTTOM
    return [
        f'<line x1="{_LEFT}" y1="{bottom}" x2="{_WIDTH}" y2="{bottom}" stroke="#999"/>',
        _text(_LEFT - 6, _TOP + 8, f"{top:.0f}", "end"),
        _text(_LEFT - 6, bottom, "0", "end"),
        _text(_WIDTH, _HEIGHT - 8, span, "end"),
    ]


def _legend(entries: Sequence[tuple[str, str]]) -> str:
    parts, x = [], _LEFT + 4
    for name, colour in entries:
        parts.append(f'<rect x="{x}" y="1" width="9" height="9" fill="{colour}"/>{_text(x + 13, 10, name, "start")}')
        x += 26 + 7 * len(name)
    return "".join(parts)


def _bar(place: tuple[float, float, float, float], colour: str, title: str) -> str:
    x, y, width, height = place
    return (
        f'<rect x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{height:.1f}" fill="{colour}">'
        f"<title>{escape(title)}</title></rect>"
    )


def _text(x: float, y: float, text: str, anchor: str) -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escape(text)}</text>'


def _svg(height: float, shapes: Sequence[str], title: str) -> str:
    head = f'<svg viewBox="0 0 {_WIDTH} {height:.0f}" role="img" aria-label="{escape(title)}">'
    return f"<figure><figcaption>{escape(title)}</figcaption>{head}{''.join(shapes)}</svg></figure>"
