"""Where everything lies that the tools read and write."""

from pathlib import Path

TOOLS = Path(__file__).resolve().parent
NOTEBOOKS = TOOLS.parent
ROOT = NOTEBOOKS.parent
SOURCES = NOTEBOOKS / "source"
SOLUTIONS = NOTEBOOKS / "solutions"
RECORDS = NOTEBOOKS / "records"
ASSETS = TOOLS / "assets"
README = ROOT / "README.md"
TEACHING = NOTEBOOKS / "teaching.md"
COURSE = ROOT / "build" / "course"
NUMBERS = "moodle.json"  # in a course: the number that Moodle gives a student in an assignment
