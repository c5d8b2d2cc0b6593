"""What each exit code of a command means."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

DONE = 0
FAILURE = 1
USER_ERROR = 2
SOME_CORPORA_FAILED = 3
DOCTOR_WARNINGS = 4
DOCTOR_ERRORS = 5
NOT_PROMOTED = 6
JOB_FAILED = 7
NO_CLUSTER = 8
CLUSTER_LOST = 9
CLUSTER_ENDED = 10
INTERRUPTED = 130

MEANINGS: Mapping[int, str] = {
    DONE: "done; also a run with nothing to do, and one whose ranker was held back",
    FAILURE: "an error that Rankhammer does not know, with its trace or the file that holds it; please report it. Of "
    "`rankhammer submit`: the application failed",
    USER_ERROR: "something that you can cure, said in two lines: what failed, and one thing to do. Of `plan`, `probe` "
    "and `handoffs`: what they looked at has a fault",
    SOME_CORPORA_FAILED: "some corpora failed and the others continued; the closing table has the status of each",
    DOCTOR_WARNINGS: "of `rankhammer doctor`: something should be changed",
    DOCTOR_ERRORS: "of `rankhammer doctor`: something has failed, or will",
    NOT_PROMOTED: "`rankhammer promote` has measured no significant gain, and what was current stays",
    JOB_FAILED: "of `rankhammer emr`: the job on the cluster failed",
    NO_CLUSTER: "of `rankhammer emr`: the cluster did not start: no such instances, or a bootstrap action failed",
    CLUSTER_LOST: "of `rankhammer emr`: the cluster was lost while the job ran, as when spot instances are taken back",
    CLUSTER_ENDED: "of `rankhammer emr`: somebody else ended the cluster or cancelled its step",
    INTERRUPTED: "interrupted by Ctrl-C: the lock and the terminal are given back, and what was finished stays",
}
"""Exit code to what it means, of every command."""
