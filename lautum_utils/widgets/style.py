"""The look of figures: `style.mplstyle` says it, `SHEET` holds it, `STYLES` are its lines.

matplotlib's settings are one for the whole process and mostly read when an artist is made. So
`with SHEET:` puts the sheet's in force for a moment, for one thread at a time, and the earlier ones
back; importing this changes nothing. In a notebook that wants all of pyplot to look like this:
`matplotlib.style.use("lautum_utils.widgets.style")`.
"""

import threading
from contextlib import ContextDecorator
from pathlib import Path
from typing import Any

from matplotlib import rc_params_from_file, rcParams

_IN_FORCE: Any = rcParams  # matplotlib's, of the whole process


class Sheet(ContextDecorator):
    """A style sheet as a context or a decorator, inside which matplotlib draws by it.

    Entered again on the same thread it does nothing more; another thread waits. Settings that are
    not the sheet's are left alone, whoever changes them meanwhile.
    """

    def __init__(self, path: Path) -> None:
        read: Any = rc_params_from_file(path, use_default_template=False)
        self.settings: dict[str, Any] = dict(read)
        self._before: dict[str, Any] = {}
        self._lock, self._depth = threading.RLock(), 0

    def __getitem__(self, name: str) -> Any:
        return self.settings[name]

    def __enter__(self) -> "Sheet":
        self._lock.acquire()
        self._depth += 1
        if self._depth == 1:
            self._before = {name: _IN_FORCE[name] for name in self.settings}
            _IN_FORCE.update(self.settings)
        return self

    def __exit__(self, *_: object) -> None:
        if self._depth == 1:
            _IN_FORCE.update(self._before)
        self._depth -= 1
        self._lock.release()


SHEET = Sheet(Path(__file__).with_name("style.mplstyle"))
# A line of the cycle by its number, for what is to look the same from picture to picture.
STYLES: tuple[dict[str, Any], ...] = tuple(SHEET["axes.prop_cycle"])
