"""What runs when: which tests are slow, which come first, what is said of a browser that is not
there."""

import os
import shutil
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
NOTEBOOKS = ROOT / "notebooks"
BROWSERS = ("chromium", "chromium-browser", "google-chrome")
NO_BROWSER = (
    "No browser: get one by .venv/bin/playwright install chromium, or install chromium or Chrome."
)
IN_BROWSER = ("test_app.py", "test_browser.py", "test_site.py")
# `make check` leaves out what takes long: files and single tests by the beginning of their name.
SLOW_FILES = (
    *IN_BROWSER,
    "test_notebooks.py",
    "test_claims.py",
    "test_compare.py",
    "test_records.py",
    "test_course.py",
)
SLOW_FILES += (
    "test_playground.py",
    "test_playground_record.py",
    "test_processors.py",
    "test_bench",
    "test_exercises.py",
    "test_distributed.py",
    "test_race.py",
)
SLOW_FILES += ("test_versions.py", "test_verdicts.py", "test_sweeps_ended.py")
SLOW_TESTS = (
    "test_stacks.py::test_a_run_gives_the_same_in_a_worker_process",
    "test_stacks.py::test_a_run_gives_the_same_alone_and_in_stacks",
    "test_stacks.py::test_augmented_runs",
    "test_stacks.py::test_weight_0_gives_the_same",
    "test_stacks.py::test_cnns_and_pairs",
    "test_run.py::test_strength_0",
    "test_devices.py::test_training_in_bfloat16",
    "test_finite_world.py::test_every_identity_holds_after_transfer",
    "test_records_file.py::test_the_record_is_small",
    "test_project.py::test_the_notebook_build",
    "test_plots.py::test_plots_never_import_pyplot",
    "test_methods.py::test_alone_and_stacked",
    "test_methods.py::test_a_method_of_stage_two",
    "test_checks.py::test_no_constant_is_right_or_raises",
)
SLOW_TESTS += (  # each a second to eight, of what changes seldom
    "test_house.py::test_nothing_happens_at_import",
    "test_run.py::test_every_method_uses_the_unlabelled_inputs_it_is_given",
    "test_run.py::test_each_method_can_act_at_every_mth_step",
    "test_run.py::test_the_networks_that_are_kept_reach_what_their_results_say",
    "test_run.py::test_a_target_may_have_two_classes_or_thirty",
    "test_checkpoints.py::test_an_interrupted_stage_one_goes_on",
    "test_baselines.py::test_progress_counts_to_its_total",
    "test_baselines.py::test_earlier_layer_is_a_probe",
    "test_baselines.py::test_a_baseline_gives_the_same_alone_and_in_company",
    "test_finetuning.py::test_a_careful_run_gives_the_same_alone_and_stacked",
    "test_finetuning.py::test_the_term_of_a_method_of_stage_two_is_added",
    "test_stacks.py::test_a_run_gives_the_same_however_its_stacks_are_cut",
    "test_stacks.py::test_with_odd_batch_sizes",
    "test_batches.py::test_unlabelled_samples_are_there_at_every_mth_step",
    "test_published.py::test_the_record_has_the_names_of_the_sets",
)
# Two processes take file after file: the longest first, so that neither waits for the other at the
# end.
LONGEST = (
    "test_notebooks",
    "test_browser",
    "test_claims",
    "test_app",
    "10_limits",
    "test_site",
    "test_playground",
)
LONGEST += (
    "test_records.py",
    "test_processors",
    "test_sweeps_ended",
    "test_stacks",
    "test_methods",
    "test_course",
    "00_start",
    "test_bench",
)


def is_slow(item: pytest.Item) -> bool:
    place = f"{item.path.name}::{item.name}"
    return (
        item.path.suffix == ".ipynb"
        or item.path.name.startswith(SLOW_FILES)
        or place.startswith(SLOW_TESTS)
    )


def browser_path() -> str | None:
    """The system's browser, or the one of `playwright install chromium`; None if there is
    neither."""
    if found := next((found for name in BROWSERS if (found := shutil.which(name))), None):
        return found
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        path = playwright.chromium.executable_path
    return path if Path(path).exists() else None


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """make check does without what only slow tests import."""
    fast = config.getoption("markexpr") == "not slow"
    return True if fast and collection_path.name.startswith(SLOW_FILES) else None


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if config.getoption("nbval_lax"):
        from compared import skipped  # what make check does without

        config.hook.pytest_deselected(items=(spared := list(skipped(items))))
        items[:] = [item for item in items if item not in spared]
    rank = {name: number for number, name in enumerate(LONGEST)}
    items.sort(
        key=lambda item: next(
            (rank[name] for name in rank if item.path.name.startswith(name)), len(rank)
        )
    )
    for item in items:
        if is_slow(item):
            item.add_marker("slow")


def pytest_sessionstart(session: pytest.Session) -> None:
    here = not hasattr(session.config, "workerinput")
    if here and os.environ.get("LAUTUM_BROWSER") != "required" and not browser_path():
        _say(session.config, NO_BROWSER)


def pytest_terminal_summary(config: pytest.Config) -> None:
    reporter = config.pluginmanager.get_plugin("terminalreporter")
    without = [
        report for report in reporter.stats.get("skipped", []) if NO_BROWSER in str(report.longrepr)
    ]
    if without:
        _say(config, f"{len(without)} tests in a browser were skipped. {NO_BROWSER}")


def _say(config: pytest.Config, line: str) -> None:
    reporter = config.pluginmanager.get_plugin("terminalreporter")
    reporter.ensure_newline()
    reporter.write_line(line)
