"""A project folder of a user's own, made from a checkout; tests/wheel does the same with the installed package."""

from __future__ import annotations

import zipfile
from pathlib import Path
from types import SimpleNamespace

import pytest
import yaml
from click.testing import CliRunner

from rankhammer.cli import rankhammer
from rankhammer.errors import ClusterError, ConfigError
from rankhammer.project_template import checkout, create_project, template_files
from rankhammer.yarn import package

ROOT = Path(__file__).parents[2]


def test_a_new_project_has_the_repository_s_own_configuration_and_notebook(tmp_path):
    written = create_project(tmp_path / "mine")
    for name in ("conf/base/globals.yml", "conf/prod/spark.yml", "notebooks/tour.ipynb", "requirements.lock"):
        assert name in written
        assert (tmp_path / "mine" / name).read_bytes() == (ROOT / name).read_bytes()
    folders = {path.name for path in (tmp_path / "mine" / "data").iterdir()}
    assert folders == {path.name for path in (ROOT / "data").iterdir() if (path / ".gitkeep").is_file()}


def test_a_new_project_holds_no_settings_of_the_maker_s_own():
    assert {name for name in template_files() if name.startswith("conf/local/")} == {
        "conf/local/.gitkeep",
        "conf/local/credentials.yml.example",
        "conf/local/globals.yml.example",
    }
    assert not [name for name in template_files() if "credentials" in name and not name.endswith(".example")]


def test_the_experiment_that_the_configuration_names_can_be_run_in_a_new_project():
    function = yaml.safe_load((ROOT / "conf/base/experiments.yml").read_text())["experiments"]["hello"]["function"]
    assert function.rpartition(":")[0] in template_files()


def test_every_file_of_base_and_prod_is_part_of_a_new_project():
    files = [path for env in ("base", "prod") for path in (ROOT / "conf" / env).rglob("*.*")]
    assert {path.relative_to(ROOT).as_posix() for path in files} <= set(template_files())


@pytest.mark.parametrize(("name", "distribution"), [("mine", "mine"), ("Über uns!", "ber-uns"), ("--", "ranking")])
def test_kedro_opens_a_new_project_whatever_its_name(tmp_path, name, distribution):
    import tomllib

    from kedro.framework.startup import _get_project_metadata

    create_project(tmp_path / name)
    found = _get_project_metadata(tmp_path / name)
    assert (found.package_name, found.project_name) == ("rankhammer", name)
    assert found.source_dir.is_dir()
    text = (tmp_path / name / "pyproject.toml").read_text()
    assert tomllib.loads(text)["project"]["name"] == distribution


def test_nothing_is_written_into_a_folder_that_is_in_use(tmp_path):
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(ConfigError, match="is not an empty folder") as refused:
        create_project(tmp_path)
    assert "nothing is written over" in refused.value.hint
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]


def test_the_command_says_what_to_do_next(tmp_path):
    done = CliRunner().invoke(rankhammer, ["new", str(tmp_path / "mine")])
    assert done.exit_code == 0
    assert "rankhammer demo\n  kedro run" in done.output
    assert CliRunner().invoke(rankhammer, ["new", str(tmp_path)]).exit_code == 2


def test_a_project_without_code_sends_the_code_that_runs_here(tmp_path, monkeypatch):
    asked = []
    monkeypatch.setattr(package, "_pip_wheel", lambda copy, out: asked.append(copy) or _wheel(out))
    monkeypatch.setattr(package, "cache_folder", lambda: tmp_path / "cache")
    create_project(tmp_path / "mine")
    assert package.build_wheel(tmp_path / "mine").name == "built.whl"
    assert len(asked) == 1
    monkeypatch.setattr(package, "checkout", lambda: None)
    monkeypatch.setattr(package, "pack", lambda folder: folder / "packed.whl")
    assert package.build_wheel(tmp_path / "mine") == tmp_path / "cache" / "wheels" / "packed.whl"


def _wheel(out: Path) -> None:
    out.mkdir()
    (out / "built.whl").touch()


def _install(site: Path, monkeypatch, *names: str) -> None:
    for name in names:
        (site / name).parent.mkdir(parents=True, exist_ok=True)
        (site / name).write_text(name)
    distribution = SimpleNamespace(
        version="1.0", files=[*names, "../bin/shop", "shop/__pycache__/a.pyc"], locate_file=lambda name: site / name
    )
    monkeypatch.setattr(package.metadata, "distribution", lambda name: distribution)


def test_an_installed_package_is_packed_as_the_wheel_that_it_came_from(tmp_path, monkeypatch):
    kept = ("shop/a.py", "shop/files/conf.yml", "shop-1.0.dist-info/entry_points.txt")
    _install(tmp_path / "site", monkeypatch, *kept, "shop-1.0.dist-info/direct_url.json")
    wheel = package.pack(tmp_path / "wheels", name="shop")
    assert wheel.name == "shop-1.0-py3-none-any.whl"
    assert zipfile.ZipFile(wheel).namelist() == sorted(kept)
    first = wheel.read_bytes()
    wheel.unlink()
    assert package.pack(tmp_path / "wheels", name="shop").read_bytes() == first


def test_an_editable_install_is_no_wheel(tmp_path, monkeypatch):
    _install(tmp_path / "site", monkeypatch, "__editable__.shop-1.0.pth")
    with pytest.raises(ClusterError, match="is not installed from a wheel"):
        package.pack(tmp_path / "wheels", name="shop")


def test_a_checkout_is_known_by_the_file_that_builds_its_wheel():
    assert checkout() == ROOT
