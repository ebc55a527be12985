"""Other processors, emulated: the variables do change how this machine rounds, and what is compared
holds all the same."""

import subprocess
import sys

import pytest
from processors import FILES, PROCESSORS, ROOT, environment, paths

ROUNDED = """
import torch
x = torch.randn(3, 300, 300, generator=torch.Generator().manual_seed(0))
y = torch.relu(torch.nn.functional.conv2d(x[:, None], x[:2, None, :5, :5]))
units = torch.backends.cpu.get_cpu_capability()
print(units, torch.get_num_threads(), (x @ x).exp().sum().item(), x.sum().item(), y.sum().item())
"""


def computed(processor: str, threads: int) -> list[str]:
    """The vector units that PyTorch says it uses, its threads, and a few sums, as a child process
    has them."""
    command = [sys.executable, "-c", ROUNDED]
    done = subprocess.run(
        command,
        env=environment(processor, threads),
        capture_output=True,
        encoding="utf-8",
        check=True,
    )
    return done.stdout.split()


def test_an_emulated_processor_rounds_in_another_way() -> None:
    found = {processor: computed(processor, 1) for processor in PROCESSORS}
    assert found["default"][0] == "DEFAULT"
    assert found["avx2"][0] in ("AVX2", "DEFAULT"), "DEFAULT where there are no such units"
    assert found["here"] == computed("here", 1), "the same processor, the same digits"
    assert found["here"][0] == "DEFAULT" or found["default"][2:] != found["here"][2:]


def test_what_depends_on_rounding_is_there() -> None:
    assert len(set(paths(FILES))) == len(FILES)
    with pytest.raises(ValueError, match="not enough values"):
        paths(["nothing"])


@pytest.mark.parametrize(("processor", "threads"), [("default", 1), ("avx2", 2)])
def test_the_records_and_the_theory_hold_there_too(processor: str, threads: int) -> None:
    chosen = paths(["records", "regularizers", "information"])
    chosen.append("notebooks/03_gaussian_lautum.ipynb")
    named = "playgrounds_record or test_regularizers or test_information or 03_gaussian"
    only = ["--nbval-lax", "--nbval-current-env", "-k", named]
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *only, *chosen]
    done = subprocess.run(
        command,
        cwd=ROOT,
        env=environment(processor, threads),
        stdout=subprocess.PIPE,
        encoding="utf-8",
    )
    assert done.returncode == 0, done.stdout[-3000:]
