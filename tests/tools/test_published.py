"""The record of the published tasks: which images it finds, what it runs, what it writes."""

import gzip
import json
import math
import struct
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from lautum_utils.data import downloads
from lautum_utils.data.images import DatasetError
from lautum_utils.results import sweeps
from lautum_utils.results.records import read_about, read_record
from lautum_utils.results.results import Results
from lautum_utils.training.baselines import BASELINES
from lautum_utils.training.experiments import Experiment
from lautum_utils.training.outcomes import Result
from notebooks.tools import published, published_cost, published_grid, published_sets, recording
from notebooks.tools.published_sets import find_sets

rng = np.random.default_rng(0)


@pytest.fixture(autouse=True)
def _no_other_images(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No test touches the user's own cache, or finds what is installed."""
    monkeypatch.setenv("LAUTUM_DATA", str(tmp_path / "cache"))
    monkeypatch.setattr(downloads, "INSTALLED", {})


def idx_folder(top: Path, classes: int = 10) -> Path:
    top.mkdir(parents=True)
    pixels, labels = (
        rng.integers(0, 256, (40, 4, 4), dtype=np.uint8),
        [k % classes for k in range(40)],
    )
    head = struct.pack(">4i", 0x803, *pixels.shape)
    (top / "t10k-images-idx3-ubyte").write_bytes(head + pixels.tobytes())
    (top / "t10k-labels-idx1-ubyte").write_bytes(struct.pack(">2i", 0x801, 40) + bytes(labels))
    return top


def image_folder(top: Path) -> Path:
    for split, n in {"train": 2, "test": 1}.items():
        for name in "abcdefghij":
            (top / split / name).mkdir(parents=True)
            for number in range(n):
                pixels = rng.integers(0, 256, (4, 4, 3), dtype=np.uint8)
                Image.fromarray(pixels).save(top / split / name / f"{number}.png")
    return top


@pytest.fixture(name="data")
def _data(tmp_path: Path) -> Path:
    """A folder with all four sets, two of them one folder deeper."""
    top = tmp_path / "data"
    idx_folder(top / "mnist_10k")
    idx_folder(top / "notMNIST" / "small")
    image_folder(top / "cifar10" / "cifar10_part")
    image_folder(top / "cifar100_ten")
    (top / "mnist.txt").write_text("no folder", encoding="utf-8")
    return top


FOUR = ("mnist", "notmnist_small", "cifar10", "cifar100")


# ------------------------------------------------------------------------------------ what it finds


def test_the_sets_of_a_folder_are_found_there_or_one_folder_deeper(data: Path) -> None:
    found = find_sets((*FOUR, "fashion_mnist"), data)
    assert found.domains == {
        "mnist": f"idx:{data}/mnist_10k",
        "notmnist_small": f"idx:{data}/notMNIST/small",
        "cifar10": f"folder:{data}/cifar10/cifar10_part",
        "cifar100": f"folder:{data}/cifar100_ten",
    }
    assert list(found.missing) == ["fashion_mnist"]
    assert published_sets.counts_of(found.domains) == {
        "mnist": {"train": 33, "test": 7},
        "notmnist_small": {"train": 33, "test": 7},
        "cifar10": {"train": 20, "test": 10},
        "cifar100": {"train": 20, "test": 10},
    }


def test_a_set_that_cannot_be_taken_is_missing_with_the_reason(tmp_path: Path) -> None:
    idx_folder(tmp_path / "mnist")
    idx_folder(tmp_path / "notmnist", classes=3)
    (tmp_path / "cifar10_empty").mkdir()
    found = find_sets(FOUR, tmp_path)
    assert list(found.domains) == ["mnist"]
    assert "has 3 classes and needs 10" in found.missing["notmnist_small"]
    assert "cifar10_empty" in found.missing["cifar10"]
    assert found.missing["cifar100"] == f"ten classes of CIFAR-100 is not in {tmp_path}."


def test_without_a_folder_the_sets_are_loaded_by_their_names(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked = {}

    def load_images(name: str, download: bool) -> None:
        asked[name] = download
        if name.startswith("cifar"):
            raise DatasetError(f"{name} cannot be loaded.")

    monkeypatch.setattr(published_sets, "load_images", load_images)
    found = find_sets(FOUR)
    assert found.domains == {"mnist": "mnist", "notmnist_small": "notmnist_small"}
    assert found.missing == {n: f"{n} cannot be loaded." for n in ("cifar10", "cifar100")}
    assert asked == dict.fromkeys(FOUR, True)


def test_images_are_counted_in_words() -> None:
    (line,) = published_sets.images_in_words({"cifar10": {"train": 20_000, "test": 4000}})
    assert line == "CIFAR-10: 24,000 of 60,000 images, 4,000 of them to test on"


# ------------------------------------------------------------------------------------- what it runs


def weights_of(*tasks: str) -> dict[str, published_grid.Chosen]:
    """As if each method's largest weight had been the best."""
    scored = scored_by(lambda e: e.strength + e.stage_two_strength)
    return published_grid.chosen(scored(e) for e in published_grid.choosing(tasks))


def scored_by(validation: Callable[[Experiment], float]) -> Callable[[Experiment], Result]:
    return lambda e: Result(e, 0.1, validation(e), 0.9, None, {})


def test_the_seeds_that_choose_run_every_weight_and_report_nothing() -> None:
    for name in published_grid.TASKS:
        found = published_grid.choosing([name])
        assert len(set(found)) == len(found)
        assert {e.seed for e in found} == set(published_grid.CHOOSING)
        assert not set(published_grid.CHOOSING) & set(published_grid.SEEDS)
        weights = sum(map(len, published_grid.WEIGHTS.values()))
        a_seed = 2 * weights * len(published_grid.LABELS)
        a_seed += sum(map(len, published_grid.STAGE_TWO.values()))
        assert len(found) == a_seed * len(published_grid.CHOOSING)


def test_a_best_weight_at_an_end_is_followed_outwards_until_it_lies_inside_or_the_ladder_ends() -> (
    None
):
    scored, known = scored_by(lambda e: -abs(math.log10(e.strength or 1) - 0.9)), {}
    for _ in range(9):
        known = {e: scored(e) for e in published_grid.choosing(["digits"], known)}
    again = published_grid.choosing(["digits"], known)
    assert again == list(known)
    assert len(set(again)) == len(again)
    results = Results(known.values())
    start = set(published_grid.RANGE)
    for protocol in ("probe", "finetune"):
        tried = set(results.where(method="mk_mmd", protocol=protocol).values("strength"))
        assert tried == start | {10.0, 30.0}  # 10 is best, and 30 shows that it is
    weights = published_grid.chosen(known.values())["digits"]
    assert weights["mk_mmd", "standard", "probe"] == 10.0
    two = results.where(stage_two="temporal_ensembling")
    assert min(two.values("stage_two_strength")) == published_grid.STAGE_TWO_LADDER[0]
    not_yet = dict(list(known.items())[1:])  # only once all is done that there is to begin with
    assert published_grid.choosing(["digits"], not_yet) == published_grid.choosing(["digits"])


def test_each_method_reports_with_the_weight_that_validation_chose_and_beside_every_baseline() -> (
    None
):
    chosen = weights_of("digits", "mnist")
    assert chosen["digits"]["lautum", "standard", "probe"] == 3.0
    for name in chosen:
        found = published_grid.reporting([name], chosen, [3])
        assert len(set(found)) == len(found)
        assert {e.seed for e in found} == {3}
        methods = len(published_grid.WEIGHTS)
        of_a_place = 2 * methods + 3 + 1 + len(BASELINES) + 1 + len(published_grid.STAGE_TWO)
        assert len(found) == of_a_place * len(published_grid.LABELS)
        of_scratch = {e.recipe for e in found if e.method == "from_scratch"}
        assert of_scratch == {"plain", published_grid.RECIPE}
        assert {e.method for e in found} == {"standard", *published_grid.WEIGHTS, *BASELINES}


def test_seeds_come_one_after_the_other() -> None:
    found = published_grid.reporting(["digits", "mnist"], weights_of("digits", "mnist"), [5, 2])
    seeds = [e.seed for e in found]
    assert seeds == sorted(seeds, reverse=True)
    assert set(seeds) == {5, 2}


def test_of_equal_weights_the_smallest_is_chosen() -> None:
    runs = published_grid.choosing(["digits"])
    chosen = published_grid.chosen(Result(e, 0.1, 0.5, 0.9, None, {}) for e in runs)
    assert chosen["digits"]["lautum", "standard", "probe"] == 0.01


def test_the_estimate_counts_what_is_trained_and_halves_with_two_processes() -> None:
    found = published_grid.reporting(["digits"], weights_of("digits"), [0])
    told = published_cost.estimate(found, 1)
    methods = 1 + len(published_grid.WEIGHTS)
    tuned = sum(e.protocol == "finetune" for e in found)
    assert f"{len(found)} experiments: {methods} networks learn a source, {tuned} are" in told
    seconds = [sum(map(float, told_by(found, n))) for n in (1, 2)]
    assert seconds[1] == pytest.approx(seconds[0] / 2, abs=1)
    assert "roughly 0 minutes" in published_cost.estimate([], 1)
    assert published_cost.in_words(7200) == "2.0 hours"


def told_by(found: list[Experiment], processes: int) -> list[str]:
    """Minutes."""
    return [published_cost.estimate(found, processes).split("roughly ")[1].split()[0]]


# ----------------------------------------------------------------------------------- what it writes


class Untrained:
    """In place of training: keeps what is asked for; stops as Ctrl-C does at one seed."""

    def __init__(self) -> None:
        self.asked: list[Experiment] = []
        self.stop_at = -1

    def __call__(
        self, experiments: Sequence[Experiment], *_: object, **__: object
    ) -> Iterator[Any]:
        for e in experiments:
            if e.seed == self.stop_at:
                raise KeyboardInterrupt
            self.asked.append(e)
            yield Result(e, 0.5 + e.strength / 100, 0.5, 0.9, None, {"step": [1.0]})

    def on_all_cores(self, experiments: list[Experiment], store: Path, *_: int) -> Results:
        return sweeps.sweep(experiments, store, device="cpu", progress=False)


Command = Callable[..., None]


@pytest.fixture(name="untrained")
def _untrained(monkeypatch: pytest.MonkeyPatch) -> Untrained:
    runs = Untrained()
    monkeypatch.setattr(sweeps, "run_each", runs)
    monkeypatch.setattr(recording, "run_on_all_cores", runs.on_all_cores)
    monkeypatch.setattr(published_grid, "LABELS", (10,))
    monkeypatch.setattr(published_grid, "WEIGHTS", {"lautum": (0.1, 1.0)})
    monkeypatch.setattr(published_grid, "STAGE_TWO_LABELS", 10)
    return runs


@pytest.fixture(name="command")
def _command(data: Path, tmp_path: Path) -> Command:
    def command(*arguments: str, folder: Path = data) -> None:
        where = ["--store", str(tmp_path / "store"), "--output", str(tmp_path / "record")]
        published.main([*arguments, "--data", str(folder), "--workers", "3", *where])

    return command


def test_the_record_has_the_names_of_the_sets_and_no_path_of_this_machine(
    untrained: Untrained, command: Command, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command("--seeds", "0", "1")
    assert "Fashion-MNIST to letters is left out: fashion_mnist cannot" in capsys.readouterr().out
    record, _ = read_record(tmp_path / "record")
    assert {e.seed for e in record} == {0, 1, *published_grid.CHOOSING}
    assert {e.source for e in record} == {"mnist", "cifar10", "digits"}
    assert {e.source for e in untrained.asked} >= {f"idx:{tmp_path}/data/mnist_10k"}
    content = gzip.decompress((tmp_path / "record").read_bytes()).decode()
    assert str(tmp_path) not in content
    assert "idx:" not in content
    assert "folder:" not in content
    about = read_about(tmp_path / "record")
    tasks = 'PUBLISHED_ARGS="--tasks mnist cifar digits"'
    assert about["command"] == f"make published DATA=FOLDER {tasks}"
    assert about["images"]["mnist"] == {"train": 33, "test": 7}
    assert set(about["images"]) == set(FOUR)
    assert (about["processes"], about["seconds"] >= 0) == (3, True)


def test_stopped_it_leaves_whole_seeds_and_goes_on_from_there(
    untrained: Untrained, command: Command, tmp_path: Path
) -> None:
    untrained.stop_at = 4
    with pytest.raises(KeyboardInterrupt):
        command("--tasks", "digits", "--seeds", "7", "4")
    assert {e.seed for e in read_record(tmp_path / "record")[0]} == {7, *published_grid.CHOOSING}
    untrained.stop_at, untrained.asked = -1, []
    command("--tasks", "digits", "--seeds", "7", "4")
    assert {e.seed for e in untrained.asked} == {4}
    seeds = [e.seed for e in read_record(tmp_path / "record")[0]]
    assert list(dict.fromkeys(seeds)) == [*published_grid.CHOOSING, 7, 4]


def test_finished_seeds_are_written_without_running_anything(
    untrained: Untrained, command: Command, tmp_path: Path
) -> None:
    command("--tasks", "digits", "--seeds", "1")
    (tmp_path / "record").unlink()
    untrained.asked = []
    command("--tasks", "digits", "--seeds", "0", "1", "--finished")
    assert untrained.asked == []
    assert {e.seed for e in read_record(tmp_path / "record")[0]} == {1, *published_grid.CHOOSING}
    untrained.stop_at = published_grid.CHOOSING[0]
    with pytest.raises(SystemExit, match=r"No seed is whole: .* does not hold all that chooses"):
        command("--tasks", "mnist", "--seeds", "0", "--finished")


def test_the_time_of_all_runs_is_added_up(tmp_path: Path) -> None:
    assert published_cost.add_seconds(tmp_path, 30) == 30
    assert published_cost.add_seconds(tmp_path, 12) == 42


def test_a_folder_without_the_sets_is_refused_in_a_sentence(
    untrained: Untrained, command: Command, tmp_path: Path
) -> None:
    (tmp_path / "empty").mkdir()
    for folder, told in {
        tmp_path / "empty": "DATA needs to hold folders called mnist",
        tmp_path / "away": "DATA needs to be a folder, got",
    }.items():
        with pytest.raises(SystemExit, match=told) as caught:
            command(folder=folder)
        assert "\n" not in str(caught.value)
        assert str(caught.value).count(". ") == 0
    with pytest.raises(SystemExit, match="Nothing is left to run"):
        command("--tasks", "fashion")
    assert untrained.asked == []


def test_a_record_about_which_nothing_was_said_says_nothing(
    untrained: Untrained, command: Command, tmp_path: Path
) -> None:
    command("--tasks", "digits", "--seeds", "1")
    content = json.loads(gzip.decompress((tmp_path / "record").read_bytes()))
    del content["about"]
    (tmp_path / "old").write_bytes(gzip.compress(json.dumps(content).encode()))
    assert read_about(tmp_path / "old") == {}
    assert read_record(tmp_path / "old")[0].keys() == read_record(tmp_path / "record")[0].keys()
