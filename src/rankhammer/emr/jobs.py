"""What is run on a cluster: a pipeline of this project, a script, a wheel, or another Kedro project."""

from __future__ import annotations

import shlex
import tarfile
import tempfile
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from rankhammer.digests import hex_digest
from rankhammer.errors import ConfigError
from rankhammer.yarn import archive, environment, package

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from rankhammer.emr.settings import NodeSettings
    from rankhammer.yarn.settings import PythonSettings

PYTHON = "env/python"
_COPYING = "rankhammer_copy"
"""Folder of what copies, in the job's."""
_REMOTE = ("s3://", "s3a://")
_LEFT_OUT = {".git", ".venv", "venv", "data", "logs", "build", "dist", "__pycache__", "node_modules"}
_LARGEST = 200_000_000
_RUN_MODULE = '"""Runs a module of the wheel that was sent along."""\nimport runpy\nimport sys\n\ndel sys.argv[0]\n'
_RUN_MODULE += 'runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)\n'
_HERE = Path(__file__).parent
BOOTSTRAP, STEP = _HERE / "bootstrap.sh", _HERE / "step.sh"
_NO_JARS = "Fetch them as the comment there in conf/emr/emr.yml says, or correct the pattern in conf/<env>/emr.yml."


class Store(Protocol):
    """Where files for the cluster are put, or would be in a dry run."""

    def put(self, source: Path) -> str:
        """Return the URI of a file of this machine."""
        ...

    def put_made(self, name: str, make: Callable[[], Path]) -> str:
        """Return the URI of a file whose name says what is in it; it is made where it is not there."""
        ...

    def require(self, uri: str) -> None:
        """Refuse a file of S3 that is not there."""
        ...


@dataclass(frozen=True)
class Job:
    """One job.

    Args:
        name: For people: in the cluster's name, and in its step's.
        files: Name in the job's folder to URI; archives are unpacked in a folder of that name.
        command: Of the shell, in that folder.
    """

    name: str
    files: tuple[tuple[str, str], ...]
    command: tuple[str, ...]


@dataclass(frozen=True)
class Sources:
    """What jobs are made of.

    Args:
        store: Where files go.
        node: What nodes have.
        python: Which Python, of cluster.yml.
        project: Folder of the project.
        on_progress: Called with a line for each step that takes time.
    """

    store: Store
    node: NodeSettings
    python: PythonSettings
    project: Path
    on_progress: Callable[[str], None]

    @property
    def interpreter(self) -> str:
        """Full path of the Python of the nodes."""
        return self.node.python or f"{self.node.folder}/{PYTHON}"


def pipeline(sources: Sources, env: str, arguments: Sequence[str], *, name: str) -> Job:
    """Make the job that runs this project's pipelines.

    Args:
        sources: What it is made of.
        env: Kedro environment.
        arguments: Of `rankhammer run`, without --env.
        name: For people.
    """
    wheel = package.build_wheel(sources.project)
    with tempfile.TemporaryDirectory(prefix="rankhammer-conf-") as folder:
        conf = sources.store.put(package.build_conf(sources.project / "conf", Path(folder, "conf.tar.gz")))
    run = (sources.interpreter, "-m", "rankhammer", "run", f"--env={env}", *arguments, "--conf-source", "conf")
    # The archive holds `conf` itself.
    return Job(name, (("app", sources.store.put(wheel)), (".", conf)), run)


def with_copies(sources: Sources, env: str, job: Job, pairs: Sequence[tuple[str, str]]) -> Job:
    """Let a job's results be copied when it has ended well; where a copy fails, the job has failed.

    Args:
        sources: What it is made of.
        env: Kedro environment.
        job: Which writes to the disks of its cluster.
        pairs: Folder to copy, and folder of versions that it is copied to.
    """
    with tempfile.TemporaryDirectory(prefix="rankhammer-conf-") as folder:
        conf = sources.store.put(package.build_conf(sources.project / "conf", Path(folder, "conf.tar.gz")))
    wheel_uri = sources.store.put(package.build_wheel(sources.project))
    copying = ("env", f"PYTHONPATH={_COPYING}", sources.interpreter, "-m", "rankhammer", "copy")
    conf_source = (f"--env={env}", "--conf-source", f"{_COPYING}_conf/conf")
    copies = [(*copying, *pair, *conf_source) for pair in pairs]
    steps = " && ".join(shlex.join(command) for command in (job.command, *copies))
    files = (*job.files, (_COPYING, wheel_uri), (f"{_COPYING}_conf", conf))
    return Job(job.name, files, ("bash", "-c", steps))


def script(sources: Sources, path: str, arguments: Sequence[str]) -> Job:
    """Make the job that hands a script to spark-submit.

    Args:
        sources: What it is made of.
        path: Of a file here, or its URI on S3.
        arguments: Of the script.

    Raises:
        ConfigError: It is no file, or is not there.
    """
    if path.startswith(_REMOTE):
        # As `aws s3 cp` reads it.
        uri = f"s3://{path.partition('://')[2]}"
        sources.store.require(uri)
    else:
        uri = sources.store.put(_file(path, (".py",)))
    submit = (sources.node.spark_submit, "job.py", *arguments)
    return Job(Path(path).stem, (("job.py", uri),), submit)


def wheel(sources: Sources, path: str, module: str, arguments: Sequence[str]) -> Job:
    """Make the job that runs a module of a wheel, with the wheel on driver and executors.

    Args:
        sources: What it is made of.
        path: Of the wheel.
        module: Name with dots.
        arguments: Of the module.

    Raises:
        ConfigError: It is no wheel, or holds no such module.
    """
    file = _file(path, (".whl",))
    _require_module(file, module)
    with tempfile.TemporaryDirectory(prefix="rankhammer-job-") as folder:
        runner = Path(folder, "run_module.py")
        runner.write_text(_RUN_MODULE)
        script_uri = sources.store.put(runner)
    uri = sources.store.put(file)
    submit = (sources.node.spark_submit, "--py-files", uri, "run_module.py", module, *arguments)
    return Job(module, (("app", uri), ("run_module.py", script_uri)), submit)


def kedro_project(sources: Sources, folder: str, arguments: Sequence[str]) -> Job:
    """Make the job that runs another Kedro project with its own code and configuration, without its secrets and data.

    Args:
        sources: What it is made of.
        folder: Of the project.
        arguments: Of `kedro run`.

    Raises:
        ConfigError: It is no Kedro project, or too large to travel.
    """
    root = Path(folder)
    if not (root / "pyproject.toml").is_file() or "[tool.kedro]" not in (root / "pyproject.toml").read_text():
        raise ConfigError(f"{root} is no Kedro project.", hint="Its pyproject.toml has a section [tool.kedro].")
    files = project_files(root)
    n_bytes = sum(path.stat().st_size for _, path in files)
    if n_bytes > _LARGEST:
        hint = "Move data out of the folder: it is read from S3. Folders called data, logs, build and dist stay here."
        raise ConfigError(f"{root} has {n_bytes / 1e6:.0f} MB, and {_LARGEST / 1e6:.0f} MB travel at most.", hint=hint)
    with tempfile.TemporaryDirectory(prefix="rankhammer-project-") as temporary:
        packed, empty = Path(temporary, "project.tar.gz"), Path(temporary, ".gitkeep")
        empty.touch()
        # Kedro wants the folder, empty as it is.
        archive.write_tar(packed, [*files, ("conf/local/.gitkeep", empty)], level=6)
        uri = sources.store.put(packed)
    run = ("env", "PYTHONPATH=src", sources.interpreter, "-m", "kedro", "run", *arguments)
    return Job(root.resolve().name, ((".", uri),), run)


def project_files(root: Path) -> list[tuple[str, Path]]:
    """List what travels of a Kedro project: no data, no links, no conf/local, nothing called credentials."""
    found = []
    for path in sorted(root.rglob("*")):
        name = path.relative_to(root)
        is_left_out = any(part in _LEFT_OUT or part.endswith(".egg-info") for part in name.parts)
        is_secret = name.parts[:2] == ("conf", "local") or any(p.lower().startswith("credentials") for p in name.parts)
        if path.is_file() and not path.is_symlink() and not is_left_out and not is_secret:
            found.append((name.as_posix(), path))
    return found


def node_archives(sources: Sources) -> list[tuple[str, str]]:
    """Put on S3 what every node gets before Spark starts, and return names and URIs.

    Raises:
        ClusterError: The environment cannot be built here.
    """
    archives = []
    if sources.node.python is None:
        own = sources.python
        planned = environment.plan(
            sources.project,
            interpreter=own.interpreter,
            standalone=own.of_nodes,
            without=own.without,
            extras=own.extras or (),
        )
        uri = sources.store.put_made(planned.name, lambda: environment.build(planned, sources.on_progress))
        archives.append(("env", uri))
    uri = jars_archive(sources.node, sources.store)
    return [*archives, ("jars", uri)] if uri else archives


def jars_archive(node: NodeSettings, store: Store) -> str:
    """Put the jars that stand beside Spark's own on S3; return their URI, empty where there are none.

    Raises:
        ConfigError: A pattern matches no file.
    """
    jars = jars_of(node)
    return _jars(jars, store) if jars else ""


def jars_of(node: NodeSettings) -> list[Path]:
    """Find the jars that stand beside Spark's own.

    Raises:
        ConfigError: A pattern matches none.
    """
    return [jar for pattern in node.jars for jar in _matching(pattern)]


def _jars(jars: Sequence[Path], store: Store) -> str:
    with tempfile.TemporaryDirectory(prefix="rankhammer-jars-") as folder:
        packed = Path(folder, "jars.tar.gz")
        archive.write_tar(packed, [(jar.name, jar) for jar in jars], level=1)
        return store.put(packed)


def _matching(pattern: str) -> list[Path]:
    base = Path(pattern).expanduser()
    found = sorted(base.parent.glob(base.name))
    if not found:
        raise ConfigError(f"node.jars: {pattern} matches no file.", hint=_NO_JARS)
    return found


def _file(path: str, suffixes: tuple[str, ...]) -> Path:
    file = Path(path)
    if not file.is_file():
        raise ConfigError(f"{path} is no file.", hint="Name a file of this machine; a script may be an s3:// URI.")
    if file.suffix not in suffixes:
        raise ConfigError(f"{path} does not end in {' or '.join(suffixes)}.", hint="--script, --wheel or --project?")
    return file


def _require_module(file: Path, module: str) -> None:
    """Refuse a module that the wheel does not hold: on the cluster it would be found out after minutes."""
    try:
        with zipfile.ZipFile(file) as opened:
            names = set(opened.namelist())
    except (zipfile.BadZipFile, tarfile.TarError) as exc:
        raise ConfigError(f"{file} is no wheel: {exc}", hint="`pip wheel --no-deps .` makes one.") from exc
    path = module.replace(".", "/")
    if not names & {f"{path}.py", f"{path}/__main__.py"}:
        modules = sorted(name.removesuffix(".py").replace("/", ".") for name in names if name.endswith(".py"))
        raise ConfigError(f"{file.name} holds no module {module!r}.", hint=f"It holds: {', '.join(modules[:20])}.")


def launch_id(text: str, moment: str) -> str:
    """Return the id of a launch: its time, and a hash that no other launch of that second has.

    Args:
        text: Random.
        moment: Such as 20260101-120000.
    """
    return f"{moment}-{hex_digest(text, 8)}"
