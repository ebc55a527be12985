"""Fields that describe themselves: what a setting can be, where it acts, what a stack may mix."""

import math
from collections.abc import Callable
from dataclasses import dataclass, field, fields
from textwrap import wrap
from typing import Any

from lautum_utils.numbers import number, plain, span, whole_number

ACTS = ("data", "stage one", "stage two")  # on which images; while the source is learnt; after it


@dataclass(frozen=True)
class Setting:
    """What is known of one field of an experiment. Choices, a check or a range rule its values.

    acts: one of `ACTS`. choices: the texts that it can be. check: raises ValueError for a bad
    value, given it and its name. whole: only whole numbers. least, most: the range of a number.
    mixes: whether networks that differ in it can train side by side. before: what results had that
    were stored before there was this setting.
    """

    about: str
    acts: str
    choices: tuple[str, ...] = ()
    check: Callable[[str, str], None] | None = None
    whole: bool = False
    least: float = 0
    most: float = math.inf
    mixes: bool = False
    before: Any = None

    def checked(self, name: str, value: Any) -> Any:
        """The value as it is kept: a plain int, or a float where it need not be whole. ValueError:
        a bad one."""
        value = plain(value)
        if self.check is not None:
            self.check(value, name)
        elif self.choices:
            if value not in self.choices:
                raise ValueError(
                    f"{name} needs to be one of {', '.join(self.choices)}, got {value!r}."
                )
        elif self.whole:
            return whole_number(value, name, self.least, self.most)
        else:
            return number(value, name, self.most)
        return value

    @property
    def allowed(self) -> str:
        """What it can be, in words."""
        if self.choices:
            return " or ".join([", ".join(map(repr, self.choices[:-1])), repr(self.choices[-1])])
        if self.check is not None:
            return "a name"
        return f"a {'whole number' if self.whole else 'number'} {span(self.least, self.most)}"


def setting(default: object, about: str, acts: str, **rules: Any) -> Any:
    """A dataclass field with a `Setting`."""
    return field(default=default, metadata={"setting": Setting(about, acts, **rules)})


def settings_of(described: Any) -> dict[str, Setting]:
    """The settings of a dataclass by name, in order."""
    return {f.name: f.metadata["setting"] for f in fields(described) if "setting" in f.metadata}


def documented(experiment: Any) -> Any:
    """A class decorator: the docstring goes on with each setting and what it can be."""
    described = [f for f in fields(experiment) if "setting" in f.metadata]
    lines = [experiment.__doc__.rstrip()]
    for acts in ACTS:
        lines += ["", f"    {acts.capitalize()}:"]
        for f in described:
            known: Setting = f.metadata["setting"]
            if known.acts == acts:
                text = f"{f.name} = {f.default!r}: {known.about}; {known.allowed}."
                lines += wrap(text, 100, initial_indent=" " * 4, subsequent_indent=" " * 8)
    experiment.__doc__ = "\n".join(lines) + "\n    "
    return experiment
