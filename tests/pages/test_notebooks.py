"""Every notebook: as readers open it, and headlessly with other parameters."""

import base64
import importlib
import inspect
import io
import json
import pkgutil
import re
import tomllib
from pathlib import Path

import nbformat
import papermill
import pytest
from papermill.iorw import load_notebook_node
from PIL import Image
from plan import NOTEBOOKS
from test_exercises import LIMITS

import lautum_utils
from notebooks.tools.opening import ATTACHED, OPENING
from notebooks.tools.places import ASSETS
from notebooks.tools.sources import read

pytestmark = pytest.mark.filterwarnings(
    "error::papermill.exceptions.PapermillWarning"
)  # named here: it takes long to import
MODULES = [
    lautum_utils,
    *(
        importlib.import_module(module.name)
        for module in pkgutil.walk_packages(lautum_utils.__path__, "lautum_utils.")
    ),
]
SOURCES = sorted((NOTEBOOKS / "source").glob("*.py"))

# Small settings, each different from the notebook's default.
PARAMETERS = {
    "00_start_here": {
        "device": "cpu",
        "seeds": 2,
        "steps": 6,
        "strengths": [0.0, 3e-4],
        "shift": "rotation",
        "severities": [0.3, 0.6],
        "labels": 50,
    },
    "01_measuring_dependence": {
        "seed": 3,
        "n_joints": 300,
        "alphabet_size": 3,
        "halves": 2,
        "crossover": 0.25,
    },
    "02_the_loss_bound": {
        "seed": 3,
        "worlds": 5,
        "n": 2,
        "gamma": 3.0,
        "label_noise": 0.2,
        "confidence": 0.7,
    },
    "03_gaussian_lautum": {"seed": 3, "covariances": 50, "dims": [3, 2], "draws": 60, "grid": 120},
    "04_the_regularizer": {
        "seed": 3,
        "batch": 300,
        "n_features": 5,
        "n_components": 12,
        "ridge": 0.1,
        "device": "cpu",
    },
    "05_domain_shift": {
        "device": "cpu",
        "seeds": 2,
        "steps": 6,
        "shift": "noise",
        "severities": [0.0, 0.4],
        "labels": 20,
    },
    "06_semi_supervised_transfer": {
        "device": "cpu",
        "seeds": 2,
        "network": "cnn",
        "steps": 5,
        "strengths": [0.0, 3e-4],
        "shift": "background",
        "severity": 0.5,
        "severities": [0.2, 0.9],
        "labels": [20, 40],
        "ablation_seeds": 2,
    },
    "07_methods_compared": {
        "device": "cpu",
        "seeds": 2,
        "steps": 6,
        "shift": "noise",
        "severity": 0.3,
        "target": "digits",
        "labels": 50,
        "checked": ["information_maximisation"],
        "confidence": 0.8,
    },
    "08_paper_experiments": {
        "source": "letters",
        "target": "digits",
        "profile": "record",
        "device": "cpu",
        "seeds": 2,
        "steps": 6,
        "labels": [20],
        "protocols": ["finetune"],
        "checked": ["VICReg"],
        "shift": "noise",
        "severity": 0.3,
        "confidence": 0.8,
        "store": "store",
        "gpu_teraflops": 5.0,
    },
    "09_sweeps_at_scale": {
        "seeds": 2,
        "strengths": [0.0, 3e-4],
        "steps": 6,
        "shifts": ["noise"],
        "workers": 1,
        "ranks": 3,
        "batch": 100,
        "device": "cpu",
    },
    "10_limits_and_open_questions": {
        "device": "cpu",
        "seeds": 2,
        "steps": 6,
        "shift": "noise",
        "labels": 50,
        "weight": 3e-3,
        "images": 200,
        "samples": 400,
        "worlds": 6,
    },
    "11_transformer_faults": {
        "device": "cpu",
        "seeds": 2,
        "steps": 6,
        "shift": "noise",
        "labels": [5, 15],
        "strengths": [1e-5, 1e-3],
        "consistencies": [0.2, 2.0],
        "learning_rates": [1e-3],
    },
    "12_speck_segmentation": {
        "device": "cpu",
        "seeds": 2,
        "steps": 6,
        "batch": 2,
        "images": 8,
        "learning_rates": [3e-3],
        "shift": "negative",
    },
}


def test_every_source_has_its_notebook_and_its_parameters() -> None:
    assert (
        [p.stem for p in SOURCES]
        == sorted(p.stem for p in NOTEBOOKS.glob("*.ipynb"))
        == sorted(PARAMETERS)
    )


@pytest.mark.parametrize("name", PARAMETERS)
def test_the_committed_notebook_is_the_source_built(name: str) -> None:
    source = read(NOTEBOOKS / "source" / f"{name}.py")
    built = nbformat.read(NOTEBOOKS / f"{name}.ipynb", as_version=4)
    assert [(c.cell_type, c.source) for c in built.cells] == [
        (c.cell_type, c.source) for c in source.cells
    ]


@pytest.mark.parametrize("name", PARAMETERS)
def test_the_committed_notebook_is_executed_with_pictures_and_without_errors(name: str) -> None:
    built = nbformat.read(NOTEBOOKS / f"{name}.ipynb", as_version=4)
    code = [c for c in built.cells if c.cell_type == "code"]
    assert all(c.execution_count for c in code)
    outputs = [o for c in code for o in c.outputs]
    assert not [o for o in outputs if o.output_type == "error"]
    pictures = [o for o in outputs if "image/png" in o.get("data", {})]
    assert len(pictures) >= 3
    assert all(o.metadata["image/png"]["alt"] for o in pictures)
    assert 15 <= len(built.cells) <= 45  # with its exercises


@pytest.mark.parametrize("name", PARAMETERS)
def test_runs_headlessly_with_other_parameters(name: str, tmp_path: Path) -> None:
    source, out, results = (
        NOTEBOOKS / f"{name}.ipynb",
        tmp_path / "out.ipynb",
        tmp_path / "results.json",
    )
    known = papermill.inspect_notebook(str(source))
    wanted = PARAMETERS[name] | {"results_path": str(results)}
    if "store" in wanted:
        wanted["store"] = str(tmp_path / wanted["store"])
    assert set(wanted) == set(known), (
        "each parameter of the notebook, and no other, is changed here"
    )
    elsewhere = {"cwd": str(tmp_path), "kernel_name": "python3"}  # whatever the kernel's folder is
    papermill.execute_notebook(str(source), str(out), wanted, progress_bar=False, **elsewhere)
    executed = load_notebook_node(str(out))
    assert not [
        o
        for c in executed.cells
        if c.cell_type == "code"
        for o in c.outputs
        if o.output_type == "error"
    ]
    rows = json.loads(results.read_bytes())
    assert rows
    assert not list(tmp_path.glob("*.tmp"))
    if (
        "difference" in rows[0]
    ):  # a notebook of theory: every identity holds with these parameters as well
        assert all(row["difference"] < LIMITS.get(name, 1e-12) for row in rows), rows
        return
    assert len({row["seed"] for row in rows}) == wanted["seeds"] == 2
    assert {row["steps"] for row in rows} == {wanted["steps"]}
    assert all(0 <= row["test_accuracy"] <= 1 for row in rows)
    assert wanted["shift"] in {row["shift"] for row in rows}


def test_an_unknown_parameter_would_be_seen() -> None:
    known = papermill.inspect_notebook(str(NOTEBOOKS / "00_start_here.ipynb"))
    assert "strengths" in known
    assert "strenghts" not in known


def test_the_picture_of_the_readme_is_the_headline_of_notebook_00() -> None:
    built = nbformat.read(NOTEBOOKS / "00_start_here.ipynb", as_version=4)
    (cell,) = [c for c in built.cells if "headline" in c.metadata.get("tags", [])]
    picture = next(o.data["image/png"] for o in cell.outputs if "image/png" in o.get("data", {}))
    assert base64.b64decode(picture) == (ASSETS / "headline.png").read_bytes()


def test_the_notation_names_code_that_exists() -> None:
    table = tomllib.loads((NOTEBOOKS / "tools/glossary.toml").read_text(encoding="utf-8"))
    named = [(re.findall(r"[\w.]+", row["code"]), row["introduced"]) for row in table["symbol"]]
    rows = [(codes[0], introduced) for codes, introduced in named if codes]
    assert len(rows) >= 12
    for code, introduced in rows:
        name, *inside = code.split(".")
        homes = [module for module in MODULES if hasattr(module, name)]
        assert homes, code
        found = getattr(homes[0], name)
        for attribute in inside:
            of_instances = isinstance(found, type) and (
                attribute in found.__annotations__
                or f"self.{attribute} =" in inspect.getsource(found)
            )
            assert hasattr(found, attribute) or of_instances, code
            found = getattr(found, attribute, None)
        assert list((NOTEBOOKS / "source").glob(f"{introduced}_*.py")), introduced


def test_the_slurm_lines_of_notebook_09_are_ones_that_dask_jobqueue_accepts() -> None:
    text = (NOTEBOOKS / "source/09_sweeps_at_scale.py").read_text(encoding="utf-8")
    (call,) = re.findall(r"^# cluster = (dask_jobqueue\.SLURMCluster\(.+\))$", text, re.MULTILINE)
    cluster = eval(call, {"dask_jobqueue": importlib.import_module("dask_jobqueue")})
    with cluster:
        script = cluster.job_script()
    assert "#SBATCH --mem=4G" in script
    assert "#SBATCH -t 01:00:00" in script


def test_the_picture_of_the_idea_stands_before_any_code_and_travels_along() -> None:
    built = nbformat.read(NOTEBOOKS / "00_start_here.ipynb", as_version=4)
    words = built.cells[0]
    assert words.cell_type == "markdown"
    (name,) = ATTACHED.findall(words.source)
    picture = base64.b64decode(words.attachments[name]["image/png"])
    assert picture == OPENING.read_bytes()
    assert words.source.index(f"attachment:{name}") < words.source.index("You will be able to")
    assert Image.open(io.BytesIO(picture)).width > 600
