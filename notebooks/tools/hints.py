"""The list of wrong answers that have a hint of their own, exercise for exercise, and how many.

python -m notebooks.tools.hints      all of them
python -m notebooks.tools.hints 02   those of notebooks whose numbers begin so
"""

import argparse

from lautum_pages import EXERCISES
from lautum_pages.progress import exercises

from notebooks.tools.places import NOTEBOOKS


def hints(beginning: str = "") -> dict[str, list[str]]:
    """Heading of an exercise -> the hints for wrong answers to it, in the order of the built
    notebooks."""
    return {
        heading: list(EXERCISES[name].mistakes)
        for page, asked in exercises(NOTEBOOKS).items()
        for name, heading in asked.items()
        if page.startswith(beginning)
    }


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m notebooks.tools.hints",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("beginning", nargs="?", default="", help="of a notebook's name, such as 02")
    found = hints(parser.parse_args().beginning)
    for heading, told in found.items():
        print(
            f"\n{heading}",
            *(f"  {number}. {hint}" for number, hint in enumerate(told, 1)),
            sep="\n",
        )
    print(f"\n{sum(map(len, found.values()))} wrong answers, {len(found)} exercises")


if __name__ == "__main__":
    main()
