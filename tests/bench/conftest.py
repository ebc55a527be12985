"""Benchmarks come in two sizes: the smallest in `make test`, where they only have to run, the full
one in `make bench`.

A benchmark is a test that takes `bench` and writes its rows with it; one that writes none fails.
With --bench-size full all rows are printed in one table, with versions and threads; what failed has
a row that says so.
"""

import sys
from collections.abc import Generator, Iterator
from importlib.metadata import version

import pytest
from benching import Bench

REPORTS: list[pytest.TestReport | pytest.CollectReport] = []


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("speed ratios")
    group.addoption(
        "--bench-size",
        choices=("smallest", "full"),
        default="smallest",
        help="smallest: does each still run?",
    )


def is_full(config: pytest.Config) -> bool:
    """Whether the sizes are those of the promises. A run of all tests finds this folder too late to
    know the option."""
    return config.getoption("bench_size", "smallest") == "full"


@pytest.fixture
def bench(request: pytest.FixtureRequest) -> Bench:
    """What a benchmark measures with, at the size of this run."""
    full = is_full(request.config)
    # At the smallest size its statistics would be of nothing, and beside other processes it warns
    # that it is off.
    pedantic = request.getfixturevalue("benchmark").pedantic if full else None
    return Bench(full, pedantic, request.node.user_properties.append)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, object, object]:
    result = yield
    if not list(_rows(item, "row", "growth")):
        pytest.fail(
            "a benchmark needs to write a row of the table, this one wrote none.", pytrace=False
        )
    return result


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    if report.when == "call" or report.failed:
        REPORTS.append(report)


def pytest_collectreport(report: pytest.CollectReport) -> None:
    if report.failed:
        REPORTS.append(report)


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    if not is_full(config):
        return
    terminalreporter.write_line("\n".join(["", _where(), "", *_table()]))


def _where() -> str:
    """Versions and threads; torch itself is not imported to tell them, as this file is read before
    any test runs."""
    torch = sys.modules.get("torch")
    threads = f"{torch.get_num_threads()} threads" if torch else "torch not used"
    of_torch = getattr(torch, "__version__", version("torch"))
    return f"torch {of_torch}, torchvision {version('torchvision')}, {threads}, CPU"


def _table() -> Iterator[str]:
    for report in REPORTS:
        yield from _rows(report, "row")
        if report.failed:
            yield f"{report.nodeid.rpartition('/')[2]:68}    FAILED  {_reason(report)}"
    yield from ("", "how time grows")
    for report in REPORTS:
        yield from _rows(report, "growth")


def _rows(of: pytest.Item | pytest.TestReport | pytest.CollectReport, *kinds: str) -> Iterator[str]:
    if isinstance(of, pytest.CollectReport) or (
        isinstance(of, pytest.TestReport) and of.when != "call"
    ):
        return  # the rows of a benchmark that fails when it is taken down have been printed
    for kind, text in of.user_properties:
        if kind in kinds:
            yield str(text)


def _reason(report: pytest.TestReport | pytest.CollectReport) -> str:
    crash = getattr(report.longrepr, "reprcrash", None)
    text = crash.message if crash else str(report.longrepr).strip().splitlines()[-1]
    return text.splitlines()[0]
