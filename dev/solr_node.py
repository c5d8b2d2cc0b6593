"""A real Solr 8 node with its Learning to Rank module on this machine. Standard library, and pyarrow to load documents.

    python dev/solr_node.py start FOLDER --port 8983
    python dev/solr_node.py load FOLDER data/01_raw/demo/documents    # one core per corpus
    python dev/solr_node.py load FOLDER products.jsonl --columns doc_id=sku
    python dev/solr_node.py stop FOLDER

Maven fetches the jars once; they are kept in ~/.cache/rankhammer. The node listens on 127.0.0.1 alone, with a heap of
512 MB. Needs mvn for the first start and a JDK from 11 on (the one of JAVA_HOME, or on the PATH).
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING, Any

sys.path.append(str(Path(__file__).parent))
import maven_jars
from engine_node import NodeError, adopt, running, stop

if TYPE_CHECKING:
    from collections.abc import Iterator

HERE = Path(__file__).parent / "solr"
POM = HERE / "pom.xml"
HEAP, WAIT_S, LINES = "512m", 120, 1000
KEYS = ("corpus", "doc_id")
ANALYZERS = ("standard", "english")


def available() -> str:
    """Return why a node cannot be started here; empty when it can."""
    return maven_jars.missing(POM) or ("" if _java() else "no java on the PATH and no JAVA_HOME")


def start(folder: Path, port: int) -> str:
    """Start a node that lives in a folder, and wait until it answers. A node that runs already is left alone.

    Args:
        folder: Its home; cores, features and models in it outlive a stop.
        port: Where it listens.

    Returns:
        Its address, to which a core's name is added.
    """
    url = f"http://127.0.0.1:{port}/solr"
    if running(folder):
        return url
    jars = maven_jars.fetch(POM)
    (folder / "home").mkdir(parents=True, exist_ok=True)
    (folder / "home" / "solr.xml").write_text("<solr/>\n")
    log = folder / "console.log"
    command = [_java(), f"-Xmx{HEAP}", "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", f"-Dsolr.log.dir={folder}", "-cp"]
    command += [f"{jars}/*", str(HERE / "SolrNode.java"), str(folder / "home"), str(port)]
    with log.open("ab") as out:
        process = subprocess.Popen(
            command, cwd=folder, stdin=subprocess.DEVNULL, stdout=out, stderr=out, start_new_session=True
        )
    adopt(folder, process)
    (folder / "url").write_text(url)
    _wait(url, process, log)
    return url


def load(
    folder: Path, documents: str, *, core: str = "{corpus}", columns: dict[str, str] | None = None
) -> dict[str, int]:
    """Make one core per corpus; one that is there is made again, with its features and models.

    Args:
        folder: Where the node lives.
        documents: Folder of Parquet, or a .jsonl file, with doc_id, fields, and corpus (`main` where it has none).
        core: Name of a core; {corpus} stands for the corpus.
        columns: Our name to that of the file, as in globals.yml.

    Returns:
        Core to number of documents.
    """
    import pyarrow.compute as pc

    url = (folder / "url").read_text()
    table = _read(documents, columns or {})
    made = {}
    for corpus in table["corpus"].unique().to_pylist():
        name = core.format(corpus=corpus)
        _new_core(folder, url, name)
        rows = table.filter(pc.equal(table["corpus"], corpus)).to_pylist()
        for begin in range(0, len(rows), LINES):
            call(f"{url}/{name}/update", list(map(_document, rows[begin : begin + LINES])))
        call(f"{url}/{name}/update?optimize=true", {})
        made[name] = len(rows)
    return made


def _read(documents: str, columns: dict[str, str]) -> Any:
    import pyarrow as pa
    import pyarrow.dataset as ds

    table = ds.dataset(documents, format="json" if documents.endswith(".jsonl") else "parquet").to_table()
    ours = {theirs: name for name, theirs in columns.items()}
    table = table.rename_columns([ours.get(name, name) for name in table.column_names])
    if "corpus" not in table.column_names:
        table = table.append_column("corpus", pa.array(["main"] * len(table)))
    return table


def call(url: str, body: Any = None, *, method: str | None = None, form: dict[str, str] | None = None) -> Any:
    """Ask a node once, with JSON or a form as the body; the answer's JSON."""
    content = None if body is None else json.dumps(body).encode()
    kind = "application/json" if form is None else "application/x-www-form-urlencoded"
    content = content if form is None else urllib.parse.urlencode(form).encode()
    request = urllib.request.Request(url, content, {"content-type": kind}, method=method)
    try:
        with urllib.request.urlopen(request, timeout=120) as answer:
            return json.load(answer)
    except urllib.error.HTTPError as error:
        raise NodeError(f"{url}: {error.code} {error.read()[:500]!r}") from error


def _document(row: dict[str, Any]) -> dict[str, Any]:
    return {"id": row["doc_id"], **dict(_fields(row))}


def _fields(row: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    for name, value in row.items():
        if name in KEYS or value is None:
            continue
        if isinstance(value, str):
            yield from ((f"{name}_{analyzer}", value) for analyzer in ANALYZERS)
        else:
            yield name, value


def _new_core(folder: Path, url: str, name: str) -> None:
    """Every core has a configuration of its own: cores that share one share features and models, too."""
    home = folder / "home" / name
    if home.is_dir():
        call(f"{url}/admin/cores?action=UNLOAD&deleteInstanceDir=true&core={name}")
    (home / "conf").mkdir(parents=True)
    for part in ("solrconfig.xml", "schema.xml"):
        shutil.copy(HERE / part, home / "conf" / part)
    call(f"{url}/admin/cores?action=CREATE&name={urllib.parse.quote(name)}&instanceDir={urllib.parse.quote(str(home))}")


def _java() -> str:
    home = os.environ.get("JAVA_HOME")
    return f"{home}/bin/java" if home and Path(home, "bin/java").exists() else shutil.which("java") or ""


def _wait(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    for _ in range(4 * WAIT_S):
        if process.poll() is not None:
            raise NodeError(f"Solr ended with {process.returncode}:\n{log.read_text(errors='replace')[-2000:]}")
        try:
            call(f"{url}/admin/info/system")
        except (OSError, ValueError, NodeError):
            time.sleep(0.25)
        else:
            return
    process.terminate()
    raise NodeError(f"Solr did not answer within {WAIT_S} s:\n{log.read_text(errors='replace')[-2000:]}")


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    verbs = parser.add_subparsers(dest="verb", required=True)
    for verb, text in (("start", "start a node"), ("load", "make one core per corpus"), ("stop", "end a node")):
        verbs.add_parser(verb, help=text).add_argument("folder", type=Path)
    verbs.choices["start"].add_argument("--port", type=int, default=8983)
    verbs.choices["load"].add_argument("documents")
    verbs.choices["load"].add_argument("--columns", nargs="*", default=[], metavar="OURS=THEIRS")
    given = parser.parse_args()
    folder = given.folder.resolve()
    try:
        if given.verb == "start":
            print(start(folder, given.port))
        elif given.verb == "load":
            columns = dict(pair.split("=", 1) for pair in given.columns)
            print(json.dumps(load(folder, given.documents, columns=columns)))
        else:
            stop(folder)
    except NodeError as error:
        sys.exit(f"solr_node: {error}")


if __name__ == "__main__":
    main()
