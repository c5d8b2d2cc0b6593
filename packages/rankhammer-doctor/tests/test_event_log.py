"""Event logs are read whatever they are compressed with, and as far as they go."""

from __future__ import annotations

import gzip
import json
import os
import random
import tracemalloc
import zipfile
from contextlib import suppress

import pytest
from event_logs import T0, LogBuilder, lz4_blocks, snappy_blocks, zstd

from rankhammer_doctor.errors import DoctorError
from rankhammer_doctor.event_log import lines, read_run
from rankhammer_doctor.event_log.timeline import Timeline
from rankhammer_doctor.sketch import RELATIVE_ERROR, QuantileSketch

CODECS = {"plain": lambda text: text, "lz4": lz4_blocks, "snappy": snappy_blocks, "zstd": zstd}


@pytest.fixture
def whole(log):
    return log.job(0, [0], tasks=40).even_stage(0, n=40).job_end(0, 100_000).ended()


@pytest.mark.parametrize("codec", CODECS)
def test_each_compression_gives_the_same_run(whole, tmp_path, codec):
    (tmp_path / "log").write_bytes(CODECS[codec](whole.text))
    run = read_run(str(tmp_path / "log"))
    (stage,) = run.stages.values()
    assert (stage.n_complete, stage.totals.run_ms, stage.n_indices) == (40, 40 * 10_000, 40)
    assert (run.report.missing, run.report.n_lines, run.duration_ms) == ([], len(whole.events), 600_000)


def test_frames_and_streams_that_follow_each_other_are_one_log(whole, tmp_path):
    for name, content in {
        "frames.zstd": zstd(whole.text, frames=3),
        "streams.lz4": lz4_blocks(whole.text[:5000]) + lz4_blocks(whole.text[5000:]),
        "streams.snappy": snappy_blocks(whole.text[:5000]) + snappy_blocks(whole.text[5000:]),
    }.items():
        (tmp_path / name).write_bytes(content)
        assert read_run(str(tmp_path / name)).report.n_lines == len(whole.events)


@pytest.mark.parametrize("codec", CODECS)
@pytest.mark.parametrize("share", [0.3, 0.6, 0.95])
def test_a_log_that_is_cut_off_is_read_up_to_there(whole, tmp_path, codec, share):
    numbers = random.Random(2)
    for event in whole.events:
        event["noise"] = numbers.randbytes(4000).hex()
    content = CODECS[codec](whole.text)
    (tmp_path / "log.inprogress").write_bytes(content[: int(share * len(content))])
    run = read_run(str(tmp_path / "log.inprogress"))
    assert run.in_progress
    assert run.end_ms is None
    assert any("end of the application" in sentence for sentence in run.report.missing)
    # A block of zstd, of which nothing can be read in part, holds 128 KiB: 16 of these events.
    n_whole = int(share * len(whole.events))
    assert n_whole - 18 <= run.report.n_lines - run.report.n_unreadable <= n_whole


@pytest.mark.parametrize("codec", ["plain", "lz4"])
def test_what_stands_behind_damage_is_read_again(whole, tmp_path, codec):
    content = bytearray(CODECS[codec](whole.text))
    middle = len(content) // 2
    content[middle : middle + 60] = bytes(random.Random(1).randbytes(60)).replace(b"\n", b"x")
    (tmp_path / "log").write_bytes(content)
    run = read_run(str(tmp_path / "log"))
    assert run.end_ms == T0 + 600_000
    assert run.report.n_unreadable >= 1
    assert run.report.missing


@pytest.mark.parametrize("codec", CODECS)
def test_no_damage_ends_in_a_traceback(whole, tmp_path, codec):
    numbers = random.Random(7)
    content = CODECS[codec](whole.text)
    for _ in range(40):
        damaged = bytearray(content)
        for _ in range(numbers.randint(1, 20)):
            damaged[numbers.randrange(len(damaged))] = numbers.randrange(256)
        (tmp_path / "log").write_bytes(damaged[numbers.randrange(30) :])
        with suppress(DoctorError):
            read_run(str(tmp_path / "log"))


def test_events_with_fields_of_another_kind_are_counted(whole, tmp_path):
    strange = [
        {"Event": "SparkListenerTaskEnd"},
        {"Event": 5},
        {"Event": "SparkListenerTaskEnd", "Task Info": None, "Stage ID": "x"},
        {"Event": "SparkListenerJobStart", "Job ID": [], "Stage Infos": 3},
        {"Event": "com.example.MyEvent", "x": 1},
        [1, 2],
        "text",
    ]
    text = whole.text + b"".join(json.dumps(one).encode() + b"\n" for one in strange)
    (tmp_path / "log").write_bytes(text + b'{"Event":"SparkListenerLogStart","Spark Version":"4.1.0"}')
    run = read_run(str(tmp_path / "log"))
    assert run.report.n_unreadable == 6
    assert run.unknown_events == {"MyEvent": 1}


def _roll(folder, whole, *, names, status="appstatus_app"):
    folder.mkdir()
    texts = whole.text.splitlines(keepends=True)
    size = -(-len(texts) // len(names))
    for place, name in enumerate(names):
        content = b"".join(texts[place * size : (place + 1) * size])
        (folder / name).write_bytes(zstd(content) if "zstd" in name else content)
    (folder / status).write_bytes(b"")
    return folder


def test_the_files_of_a_rolling_log_come_in_the_order_of_their_numbers(whole, tmp_path):
    names = [f"events_{number}_app.zstd" for number in range(1, 13)]
    run = read_run(str(_roll(tmp_path / "eventlog_v2_app", whole, names=names)))
    assert (run.report.n_lines, run.report.missing, run.in_progress) == (len(whole.events), [], False)
    assert run.stages[(0, 0)].n_complete == 40


def test_a_rolling_log_says_which_files_are_missing(whole, tmp_path):
    names = ["events_1_app", "events_2_app", "events_4_app"]
    folder = _roll(tmp_path / "eventlog_v2_app", whole, names=names, status="appstatus_app.inprogress")
    run = read_run(str(folder))
    assert run.in_progress
    assert any("events_3" in sentence for sentence in run.report.missing)


def test_files_of_another_application_and_copies_are_left_out_of_a_rolling_log(whole, tmp_path):
    names = [f"events_{number}_app" for number in (1, 2, 3)]
    folder = _roll(tmp_path / "eventlog_v2_app", whole, names=names)
    (folder / "events_3_app.zstd").write_bytes(zstd((folder / "events_3_app").read_bytes()))
    (folder / "events_4_application_9_0009.zstd").write_bytes(zstd(whole.text))
    (folder / "README").write_text("copied on Monday")
    run = read_run(str(folder))
    assert (run.report.n_lines, run.stages[(0, 0)].n_complete) == (len(whole.events), 40)
    assert run.report.missing == [
        "files of another application are left out: events_4_application_9_0009.zstd",
        "files that are there twice: events_3_app.zstd",
    ]


def test_the_log_of_another_application_behind_this_one_is_left_out(whole, tmp_path):
    other = LogBuilder().started(version="2.4.5", name="other").job(0, [0]).even_stage(0)
    (tmp_path / "log").write_bytes(whole.text + other.text.replace(b"application_1_0001", b"application_2_0002"))
    run = read_run(str(tmp_path / "log"))
    assert (run.app_name, run.version, run.duration_ms) == ("app", "4.1.0", 600_000)
    assert (run.stages[(0, 0)].n_complete, len(run.jobs)) == (40, 1)
    assert run.report.missing == ["the log of another application follows, and is left out"]


def test_a_log_without_times_lasts_no_time(log, tmp_path):
    log.events = [one for one in log.events if one["Event"] != "SparkListenerApplicationStart"]
    assert log.run(tmp_path).duration_ms == 0


def test_a_mark_of_an_editor_before_the_first_line_is_passed_over(whole, tmp_path):
    (tmp_path / "log").write_bytes(b"\xef\xbb\xbf" + whole.text)
    run = read_run(str(tmp_path / "log"))
    assert (run.version, run.report.missing) == ("4.1.0", [])


def test_a_compacted_file_takes_the_place_of_those_before_it(whole, tmp_path):
    folder = _roll(tmp_path / "eventlog_v2_app", whole, names=["events_2_app.compact", "events_3_app"])
    (folder / "events_1_app").write_bytes(b'{"Event":"SparkListenerLogStart","Spark Version":"0"}\n')
    run = read_run(str(folder))
    assert run.report.n_lines == len(whole.events)
    assert any("compacted" in sentence for sentence in run.report.missing)


def test_a_zip_of_the_history_server_is_read(whole, tmp_path):
    folder = _roll(tmp_path / "eventlog_v2_app", whole, names=["events_1_app.zstd", "events_2_app.zstd"])
    with zipfile.ZipFile(tmp_path / "logs.zip", "w") as archive:
        for file in folder.iterdir():
            archive.write(file, f"eventlog_v2_app/{file.name}")
    assert read_run(str(tmp_path / "logs.zip")).report.n_lines == len(whole.events)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "it is empty"),
        (b"24/01/01 INFO SparkContext: started\n", "no event log"),
        (b"ZV\x01\x00\x10aaaaaaaaaaaaaaaaaaa", "LZF"),
        (b'{"a": 1}\n', "no event log"),
        (b'{"Event":"Other"}\n', "no event log"),
        (b"\x28\xb5\x2f\xfdbroken", "no event log"),
    ],
)
def test_a_file_that_is_no_event_log_is_refused(tmp_path, content, words):
    (tmp_path / "file").write_bytes(content)
    with pytest.raises(DoctorError, match=words) as caught:
        read_run(str(tmp_path / "file"))
    assert caught.value.hint


def test_a_place_without_a_log_is_refused(whole, tmp_path):
    with pytest.raises(DoctorError, match="nothing at"):
        read_run(str(tmp_path / "no"))
    with pytest.raises(DoctorError, match="holds no event log"):
        read_run(str(tmp_path))
    for name in ("one", "two"):
        whole.write(tmp_path / name)
    with pytest.raises(DoctorError, match=r"holds 2 event logs: .*one"):
        read_run(str(tmp_path))


def test_a_line_that_is_longer_than_memory_allows_is_passed_over(whole, tmp_path, monkeypatch):
    monkeypatch.setattr(lines, "MAX_LINE", 1 << 16)
    middle = len(whole.text) // 2
    place = whole.text.index(b"\n", middle) + 1
    text = whole.text[:place] + b'{"Event":"' + b"x" * (3 << 20) + b'"}\n' + whole.text[place:]
    (tmp_path / "log").write_bytes(text)
    run = read_run(str(tmp_path / "log"))
    assert run.stages[(0, 0)].n_complete == 40
    assert run.report.n_unreadable == 1


def test_stages_of_the_product_name_their_node(log, tmp_path):
    log.job(0, [0], description="labeling: judge").even_stage(0).job_end(0, 1).job(
        1, [1], description="A report: of all"
    )
    run = log.even_stage(1).ended().run(tmp_path)
    assert (run.stages[(0, 0)].node, run.stages[(0, 0)].label) == ("judge", "labeling: judge")
    assert (run.stages[(1, 0)].node, run.stages[(1, 0)].label) == ("", "A report: of all")


def test_quantiles_are_exact_for_few_values_and_within_the_error_for_many():
    few = QuantileSketch()
    for value in (5, 1, 3):
        few.add(value)
    assert (few.quantile(0.5), few.quantile(0), few.maximum) == (3, 1, 5)
    values = [random.Random(3).lognormvariate(5, 2) for _ in range(20_000)]
    many = QuantileSketch()
    for value in (*values, 0, 0):
        many.add(value)
    ordered = sorted([*values, 0, 0])
    for share in (0.01, 0.25, 0.5, 0.9, 0.999):
        exact = ordered[int(share * len(ordered))]
        assert many.quantile(share) == pytest.approx(exact, rel=2 * RELATIVE_ERROR)


def test_a_timeline_keeps_all_work_while_its_bins_grow():
    timeline, numbers, total = Timeline(), random.Random(5), 0
    timeline.start_ms = 0
    for _ in range(500):
        begin, length = numbers.randrange(1, 5_000_000), numbers.randrange(1, 90_000)
        timeline.add(begin, begin + length)
        total += length
    assert sum(timeline.averages()) * timeline.width_ms == pytest.approx(total)
    assert len(timeline.averages()) <= 1024


def test_hourly_files_come_in_the_order_of_their_hours_and_the_one_without_a_date_last(whole, tmp_path):
    names = ["eventlog-2024-01-01--09-00.gz", "eventlog-2024-01-01--10-00.gz", "eventlog"]
    folder = tmp_path / "logs"
    folder.mkdir()
    texts, size = whole.text.splitlines(keepends=True), -(-len(whole.events) // 3)
    for place, name in enumerate(names):
        content = b"".join(texts[place * size : (place + 1) * size])
        (folder / name).write_bytes(gzip.compress(content) if name.endswith("gz") else content)
    run = read_run(str(folder))
    assert (run.report.n_lines, run.report.missing) == (len(whole.events), [])


def test_bytes_that_are_no_text_cost_no_event(whole, tmp_path):
    (tmp_path / "log").write_bytes(whole.text.replace(b'"a"', b'"\xff\xfe"'))
    run = read_run(str(tmp_path / "log"))
    assert (run.report.n_unreadable, run.stages[(0, 0)].n_complete) == (0, 40)


def test_memory_does_not_grow_with_the_tasks_of_a_log(log, tmp_path):
    def peak(n_tasks: int) -> int:
        with (tmp_path / "log").open("wb") as file:
            file.write(log.text)
            task = LogBuilder().task(0, 0, 100, read=100, rows=10)
            for place in range(n_tasks):
                for event in task.events:
                    event["Task Info"] |= {"Index": place, "Task ID": place}
                    file.write(json.dumps(event).encode() + b"\n")
        tracemalloc.start()
        read_run(str(tmp_path / "log"))
        _, found = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        return found

    few, many = peak(5000), peak(12_000)
    # Chunks of 1 MiB are all that there is.
    assert many < few + (1 << 20)


def test_a_pipe_that_never_ends_is_refused(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(DoctorError, match="neither a file nor a folder"):
        read_run(str(tmp_path / "pipe"))


def test_a_file_that_cannot_be_decompressed_says_so(tmp_path):
    (tmp_path / "log.zstd").write_bytes(b"\x28\xb5\x2f\xfdgarbage")
    with pytest.raises(DoctorError, match=r"log\.zstd: ") as refused:
        read_run(str(tmp_path / "log.zstd"))
    assert "it is empty" not in str(refused.value)
