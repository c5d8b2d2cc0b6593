"""A validation as text and as a page: everything is on it, and the page needs nothing beside it."""

from __future__ import annotations

import re
from datetime import date

from rankhammer.click_logs import CorpusCounts, PositionRate
from rankhammer.click_logs.log_findings import LogFinding
from rankhammer.click_logs.log_profile import CorpusProfile
from rankhammer.runs.validation import LogValidation
from rankhammer.runs.validation_page import html_page, summary, text_lines

PROFILE = CorpusProfile(
    n_serps=3,
    days={date(2024, 5, 1): 2, date(2024, 5, 3): 1},
    n_queries=2,
    positions=[PositionRate("<shop>", 1, 3, 2), PositionRate("<shop>", 2, 3, 1)],
)
FOUND = LogValidation(
    "data/log.csv",
    "impressions",
    {"query": "frage (string)"},
    [
        LogFinding("error", "", "inputs", "Wrong <b>", "Do \x1b[2J this."),
        LogFinding("note", "<shop>", "robots", "One."),
    ],
    {"<shop>": CorpusCounts(n_read=4, n_serps=3, n_clicks=3, set_aside={"bad_position": 1})},
    {"<shop>": PROFILE},
)


def test_text_has_corpora_positions_and_findings_and_no_control_characters():
    text = "\n".join(text_lines(FOUND))
    assert "click_log: data/log.csv (reader impressions)" in text
    assert "<shop>: 3 of 4 result pages would be kept (1 faulty, 0 of robots)" in text
    assert re.search(r"position +1 +3 shown +66.7% clicked +#{30}", text)
    assert "error   inputs: Wrong <b>" in text
    assert "\x1b" not in text
    assert text.endswith("1 error, 0 warnings, 1 note.")


def test_a_page_holds_its_scripts_and_escapes_what_it_quotes():
    page = html_page(FOUND)
    without_scripts = re.sub(r"<script.*?</script>", "", page, flags=re.DOTALL)
    assert "Wrong &lt;b&gt;" in without_scripts
    assert "<shop>" not in without_scripts
    assert not re.search(r"<(script|img|link)[^>]*(src|href)=", page)
    assert page.count("plotly-graph-div") == 4
    assert all(title in page for title in ("Result pages by day", "Click-through by position", "Left out, by reason"))


def test_facts_are_plain_and_errors_decide():
    facts = FOUND.facts()
    assert facts["corpora"]["<shop>"]["profile"]["days"] == {"2024-05-01": 2, "2024-05-03": 1}
    assert facts["corpora"]["<shop>"]["profile"]["missing_days"] == ["2024-05-02"]
    assert FOUND.has_errors
    assert summary([]) == "0 errors, 0 warnings, 0 notes."
