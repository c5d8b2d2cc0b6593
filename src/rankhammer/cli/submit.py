"""`rankhammer submit`: thin, as `cli` is."""

from __future__ import annotations

import signal
import sys
import threading
from functools import partial
from typing import TYPE_CHECKING, Any

import click

from rankhammer.cli.options import ends_with_exit_code, env_option

if TYPE_CHECKING:
    from rankhammer.runs.submissions import SubmitOptions
    from rankhammer.yarn.app_monitor import Progress
    from rankhammer.yarn.settings import ClusterSettings
    from rankhammer.yarn.submission import SubmissionSpec


class Screen:
    """Tells steps and states: in a terminal the last state moves in one line, else each change is a line."""

    def __init__(self) -> None:
        from rich.console import Console

        self._console = Console(stderr=True, highlight=False)
        self._status = self._console.status("starting")
        self._last = ""

    def line(self, text: str) -> None:
        """Print a line."""
        self._console.print(text, markup=False, soft_wrap=True)

    def state(self, progress: Progress) -> None:
        """Show the state."""
        if self._console.is_terminal:
            self._status.update(f"{progress.application} {progress}")
            (self._status.stop if progress.has_ended else self._status.start)()
        elif progress.state != self._last:
            self.line(f"{progress.application} {progress.state}")
        self._last = progress.state

    def may_kill(self, application: str) -> bool:
        """Ask whether to end an application; without a terminal nobody is there to say no."""
        self._status.stop()
        return not sys.stdin.isatty() or click.confirm(f"Kill {application}?", default=True, err=True)


@click.command(epilog="Example:  rankhammer submit --pipeline=train --env=prod --queue=ltr")
@click.option("--pipeline", "-p", default=None, help="Stage, branch or line, as `kedro run` takes it.")
@env_option()
@click.option("--params", default=None, help="Parameters, as `kedro run` takes them.")
@click.option("--by-size", is_flag=True, help="One submission a profile: resources.rules give each corpus one.")
@click.option("--deploy-mode", type=click.Choice(["cluster", "client"]), default=None, help="Where the driver runs.")
@click.option("--queue", default=None, help="YARN queue.")
@click.option("--conf", "pairs", multiple=True, metavar="KEY=VALUE", help="Spark setting, over spark.yml; repeatable.")
@click.option("--dry-run", is_flag=True, help="Print what would be submitted, and change nothing.")
@click.option("--force", is_flag=True, help="Submit also what the doctor says will fail.")
@click.option("--detach", is_flag=True, help="Leave the application alone once YARN has accepted it.")
@click.argument("more", nargs=-1, type=click.UNPROCESSED)
@ends_with_exit_code
def submit(*, by_size: bool, dry_run: bool, detach: bool, force: bool, **given: Any) -> int:
    """Run on YARN what `kedro run` runs here; further options of it (MORE) stand behind `--`.

    Exit codes: 0, 1 (the application failed), 2 (refused before work), 3 (some corpora failed), 130 (interrupted). Of
    several submissions, the gravest one's counts.
    """
    if threading.current_thread() is threading.main_thread():
        # A scheduler ends a job by SIGTERM; it means the same as Ctrl-C.
        signal.signal(signal.SIGTERM, signal.default_int_handler)
    work = _submit_by_size if by_size else _submit
    return work(read_submit_options(given), is_dry=dry_run, is_detached=detach, is_forced=force)


def _submit(asked: SubmitOptions, *, is_dry: bool, is_detached: bool, is_forced: bool = False) -> int:
    from rankhammer.runs import submissions

    submitter = _Submitter(is_dry=is_dry, is_detached=is_detached, is_forced=is_forced)
    return submitter.submit(*submissions.one(asked))


def _submit_by_size(asked: SubmitOptions, *, is_dry: bool, is_detached: bool, is_forced: bool = False) -> int:
    from rankhammer.errors import ConfigError
    from rankhammer.exit_codes import DONE, FAILURE, INTERRUPTED, SOME_CORPORA_FAILED, USER_ERROR
    from rankhammer.runs import corpus_status, submissions, summary
    from rankhammer.runs.user_errors import exit_code

    if is_detached:
        raise ConfigError("--by-size waits for each submission, and --detach for none.", hint="Leave one of them out.")
    submitter, codes, statuses = _Submitter(is_dry=is_dry, is_forced=is_forced), [], []
    parts, found, settings = submissions.by_size(asked)
    if found.message:
        submitter.screen.line(found.message)
    for part in parts:
        submitter.screen.line(f"Profile {part.profile}: {', '.join(part.corpora)}")
        # One that is refused does not stop the next.
        codes.append(exit_code(partial(submitter.submit, part.spec, settings)))
        if codes[-1] == INTERRUPTED:
            break
        if not is_dry:
            ended_well = codes[-1] in (DONE, SOME_CORPORA_FAILED)
            statuses.append(submissions.status_after(asked, part, found, has_ended_well=ended_well))
    if statuses:
        summary.show_status(corpus_status.merged(statuses))
    gravest_first = (INTERRUPTED, FAILURE, USER_ERROR, SOME_CORPORA_FAILED, DONE)
    return next(code for code in gravest_first if code in codes)


class _Submitter:
    """Submits, one after the other, by one JVM.

    Args:
        is_dry: Whether to print what would be submitted, and to change nothing.
        is_detached: Whether to leave an application alone once it is accepted.
        is_forced: Whether to submit also what the doctor says will fail.
    """

    def __init__(self, *, is_dry: bool, is_detached: bool = False, is_forced: bool = False) -> None:
        from rankhammer import spark
        from rankhammer.spark import java

        self.screen = Screen()
        self._is_dry, self._is_detached, self._is_forced = is_dry, is_detached, is_forced
        # A JVM of this command's own, small and without the settings of the run; it starts while Kedro is imported.
        small = {"spark.driver.memory": "256m", "spark.driver.extraJavaOptions": java.SHORT_LIVED}
        spark.configure(lambda: {"spark.master": "yarn", **small})
        if not is_dry:
            spark.start_jvm_early()

    def submit(self, spec: SubmissionSpec, settings: ClusterSettings) -> int:
        """Submit, and return the exit code."""
        from rankhammer import spark
        from rankhammer.exit_codes import INTERRUPTED
        from rankhammer.runs.doctor_inputs import summarize
        from rankhammer.runs.execute import project_folder
        from rankhammer.yarn.resource_manager import ResourceManager
        from rankhammer.yarn.submission import prepare, shown
        from rankhammer.yarn.submitter import Submitting
        from rankhammer.yarn.uploads import NoUploads, Uploads

        screen, project, root = self.screen, project_folder(), settings.runtime.root
        self._ask_doctor(spec, settings)
        if self._is_dry:
            click.echo(shown(prepare(spec, settings, NoUploads(root), project=project, on_progress=screen.line)))
            return 0
        target = Uploads(*spark.hadoop(), root, screen.line)
        planned = prepare(spec, settings, target, project=project, on_progress=screen.line)
        submitting = Submitting(
            ResourceManager(), settings.submit, on_progress=screen.line, watched=screen.state, may_kill=screen.may_kill
        )
        code = submitting.run(planned, is_detached=self._is_detached)
        if submitting.application and not self._is_detached and code != INTERRUPTED:
            screen.line(summarize(submitting.application, planned.properties, spec.env))
        return code

    def _ask_doctor(self, spec: SubmissionSpec, settings: ClusterSettings) -> None:
        """Say what the doctor warns of.

        Raises:
            ConfigError: It says that the run will fail, and nobody has said --force.
        """
        from rankhammer.errors import ConfigError
        from rankhammer.runs.doctor_inputs import check_submission

        found = check_submission(spec, settings)
        for finding in found:
            self.screen.line(f"Doctor: {finding.severity.label} {finding.rule}: {finding.summary}")
        errors = [finding for finding in found if finding.severity.label == "error"]
        if errors and not self._is_forced:
            raise ConfigError(
                f"The doctor says that this will fail: {'; '.join(finding.summary for finding in errors)}.",
                hint="`rankhammer doctor conf` says what to change; --force submits it anyway.",
            )


def read_submit_options(given: dict[str, Any]) -> SubmitOptions:
    """Read the options of `submit`.

    Args:
        given: By name.

    Raises:
        ConfigError: A Spark setting is none.
    """
    from rankhammer.runs.params_option import read_params
    from rankhammer.runs.submissions import SubmitOptions

    text = given["params"] or ""
    params = read_params(click.get_current_context(), None, text)
    name = given["pipeline"] or "__default__"
    return SubmitOptions(name, given["env"], text, params, given["deploy_mode"], read_flags(given), given["more"])


def read_flags(given: dict[str, Any]) -> dict[str, str]:
    """Return the Spark settings of the command line.

    Args:
        given: Options by name: `pairs` of --conf, and `queue`.

    Raises:
        ConfigError: One is no KEY=VALUE, or holds a secret, which `ps` would show.
    """
    from rankhammer.errors import ConfigError
    from rankhammer.secret_settings import require_no_secrets

    wrong = [n for n, pair in enumerate(given["pairs"], 1) if "=" not in pair or not pair.startswith("spark.")]
    if wrong:
        # Not quoted: the value of another key may stand there alone.
        message = f"Number {wrong[0]} of the options --conf is no KEY=VALUE with a key that begins with spark."
        raise ConfigError(message, hint="Such as --conf spark.executor.memory=2g")
    flags = {key: value for key, _, value in (pair.partition("=") for pair in given["pairs"])}
    require_no_secrets(flags, "--conf")
    return flags | ({"spark.yarn.queue": given["queue"]} if given["queue"] else {})
