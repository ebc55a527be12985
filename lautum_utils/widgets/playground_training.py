"""`Training`: what a playground trains in the background.

It runs on a daemon thread, which sets widget traits and nothing else, and only while what it
trains is still wanted.
"""

import threading
import time
from collections.abc import Callable, Sequence

from lautum_utils.training.experiments import Experiment
from lautum_utils.training.outcomes import Progress, Result
from lautum_utils.training.run import run_each
from lautum_utils.widgets.playground_known import Answer
from lautum_utils.widgets.playground_view import View
from lautum_utils.widgets.plots import history_curves

REDRAW_SECONDS = 1.5  # at least, and so rarely that drawing takes about a tenth of the time


class Training:
    """One training at a time: a new one asks the one before to stop, and waits for its end.

    results: where they go. draw: makes an answer of experiments, all of them trained.
    """

    def __init__(
        self,
        view: View,
        results: dict[Experiment, Result],
        draw: Callable[[Sequence[Experiment]], Answer],
    ) -> None:
        self.view, self.results, self.draw = view, results, draw
        # Of `stopper`; a training holds it while it shows something, so that it is still wanted.
        self.lock = threading.RLock()
        self.stopper = threading.Event()  # of the training that is wanted
        self.thread: threading.Thread | None = None

    def start(self, experiments: Sequence[Experiment], device: str) -> None:
        """Train those that are missing, then show them all."""
        with self.lock:
            self.stopper.set()
            earlier, self.stopper = self.thread, threading.Event()
            run = _Run(self, experiments, device, self.stopper)
            self.thread = threading.Thread(
                target=run.work, args=(earlier,), daemon=True, name="lautum-playground"
            )
            self.thread.start()

    def stop(self) -> None:
        """Ask it to stop; it does at its next step. What had finished stays."""
        self.stopper.set()

    def leave(self) -> None:
        """What trains now would be an answer to an earlier question."""
        with self.lock:
            self.stopper.set()
            self.stopper = threading.Event()
        self.view.stop_button.disabled = True


class _Run:
    """One training, on its thread. stopper: once set, it trains no more; while it is the one of the
    training, nobody has asked for anything else."""

    def __init__(
        self,
        training: Training,
        experiments: Sequence[Experiment],
        device: str,
        stopper: threading.Event,
    ) -> None:
        self.training, self.view = training, training.view
        self.experiments, self.device, self.stopper = experiments, device, stopper
        self.started = self.next_drawing = 0.0

    @property
    def wanted(self) -> bool:
        return self.training.stopper is self.stopper

    def work(self, earlier: threading.Thread | None) -> None:
        if earlier is not None:
            earlier.join()
        self.started = time.monotonic()
        results = self.training.results
        missing = [e for e in self.experiments if e not in results]
        with self.training.lock:
            if self.stopper.is_set():
                return
            self.view.stop_button.disabled = False
            self.view.bar.value = 0
            self.view.say(f"preparing {len(missing)} networks" if missing else "already trained")
        try:
            for result in run_each(missing, self.device, progress=False, callback=self.watch):
                results[result.experiment] = result
            self.finish()
        except Exception as error:
            with self.training.lock:
                if self.wanted:
                    self.view.say(f"could not train: {error}")
            raise
        finally:
            with self.training.lock:
                if self.wanted:
                    self.view.stop_button.disabled = True

    def watch(self, progress: Progress) -> bool:
        """Show how far it is; true stops it."""
        now = time.monotonic()
        self.view.bar.value = progress.step / progress.total
        drawable = now > self.next_drawing and progress.histories[0].get("step")
        if drawable and not self.stopper.is_set():
            strengths = [e.strength for e in progress.experiments]
            curves = list(zip(strengths, progress.histories, strict=True))
            png = history_curves(curves, steps=progress.experiments[0].steps).png()
            with self.training.lock:
                if not self.stopper.is_set():
                    at = f"step {progress.step} of {progress.total}, {now - self.started:.0f} s"
                    self.view.say(f"{progress.stage}: {at}")
                    self.view.show_picture(self.view.live, png)
            taken = time.monotonic() - now
            self.next_drawing = now + taken + REDRAW_SECONDS * max(1.0, 6 * taken)
        return self.stopper.is_set()

    def finish(self) -> None:
        """Show what was trained, if all of it was."""
        complete = all(e in self.training.results for e in self.experiments)
        answer = self.training.draw(self.experiments) if complete and self.wanted else None
        with self.training.lock:
            if not self.wanted:
                return
            if answer:
                self.view.show(answer)
                self.view.bar.value = 1
            told = (
                f"{'done' if answer else 'stopped'} after {time.monotonic() - self.started:.1f} s"
            )
            if not answer and self.view.curve.value:
                told += ". What is shown is of the values before."
            self.view.say(told)
