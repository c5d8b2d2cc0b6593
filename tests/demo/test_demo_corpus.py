from __future__ import annotations

import json
import subprocess
import sys

import pytest

from rankhammer.demo.corpus import CORPORA, SCHEMA, read_library, sources, split_name


@pytest.fixture(scope="module")
def tiny():
    return read_library({"tiny": ("json", "textwrap", "no_such_module")})["tiny"]


def test_documents_are_sorted_by_an_id_that_is_unique(tiny):
    ids = tiny["doc_id"].to_pylist()
    assert ids == sorted(set(ids))
    assert tiny.schema == SCHEMA


def test_a_document_splits_its_name_summary_and_signature(tiny):
    found = {row["doc_id"]: row for row in tiny.to_pylist()}["textwrap.TextWrapper.fill"]
    assert found["title"] == "textwrap text wrapper fill"
    assert found["summary"] == "fill(text : string) -> string"
    assert found["body"].endswith("fill(self, text)")
    assert (found["module"], found["kind"], found["corpus"]) == ("textwrap", "method", "tiny")
    assert found["body_length"] == len(found["body"])


def test_modules_classes_functions_and_methods_have_documents(tiny):
    kinds = {row["doc_id"]: row["kind"] for row in tiny.to_pylist()}
    assert kinds["json"] == "module"
    assert kinds["textwrap.TextWrapper"] == "class"
    assert kinds["textwrap.dedent"] == "function"


def test_private_names_have_no_documents(tiny):
    assert not [name for name in tiny["doc_id"].to_pylist() if name.rsplit(".", 1)[-1].startswith("_")]


def test_popularity_counts_the_files_that_import_the_top_module():
    library = read_library({"one": ("textwrap",), "two": ("json",)})
    importing_re = 1 + 3  # textwrap; json's decoder, encoder and scanner
    assert set(library["one"]["popularity"].to_pylist()) == {0.0}
    both = read_library({"one": ("textwrap",), "two": ("json",), "three": ("re",)})
    assert both["three"]["popularity"][0].as_py() == importing_re


def test_a_module_in_c_is_documented_by_its_python_twin():
    [source] = sources(("decimal",))
    assert (source.name, source.path.name) == ("decimal", "_pydecimal.py")


def test_tests_inside_the_library_are_no_documents():
    assert not [source.name for source in sources(("unittest", "ctypes")) if "test" in source.name.split(".")[1:]]


def test_corpora_share_no_module():
    assert not set(CORPORA["stdlib"]) & set(CORPORA["network"])


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("os.path", "os path"),
        ("http.HTTPServer", "http http server"),
        ("a.make_dirsEx2", "a make dirs ex 2"),
    ],
)
def test_a_name_splits_into_words(name, words):
    assert split_name(name) == words


def test_documented_modules_are_never_imported():
    code = (
        "import sys, json; from rankhammer.demo.corpus import read_library\n"
        "before = set(sys.modules); read_library({'x': ('wsgiref', 'mailbox', 'tabnanny')})\n"
        "print(json.dumps(sorted(set(sys.modules) - before)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not {"wsgiref", "mailbox", "tabnanny"} & {name.split(".")[0] for name in json.loads(done.stdout)}
