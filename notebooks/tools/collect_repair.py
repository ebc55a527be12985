"""A notebook that was handed in, as nbgrader needs it: each answer once, each test as it was given.

What students got (release/) says which cells there are, and the gradebook what the tests hold,
hidden halves included: so nbgrader finds nothing that it would have to warn of. A
cell is recognised by nbgrader's name for it, by its id, or by what it says; an answer also by what
it defines. What is in doubt is told, and no answer is thrown away: one set aside stays as text.
"""

from collections.abc import Mapping
from copy import deepcopy
from dataclasses import dataclass

from nbformat import NotebookNode
from nbformat.v4 import new_markdown_cell, new_notebook

from notebooks.tools.collect_cells import defined, fingerprint, role


@dataclass(eq=False)
class Piece:
    """A cell, and nbgrader's name for it; "" if it is one of the others."""

    cell: NotebookNode
    role: str = ""


class Task:
    """What students got: its cells with a role, in order, and what they say."""

    def __init__(self, released: NotebookNode, teachers: Mapping[str, str]) -> None:
        self.released, self.metadata = released.cells, released.metadata
        self.roles = {role(cell): cell for cell in released.cells if role(cell)}
        self.teachers = {
            name: NotebookNode(cell | {"source": teachers.get(name, cell.source)})
            for name, cell in self.roles.items()
        }
        self.says = {name: fingerprint(cell) for name, cell in self.roles.items()}
        self.tests = {name: fingerprint(cell) for name, cell in self.teachers.items()}
        self.given = {fingerprint(cell) for cell in released.cells if not role(cell)}
        self.answers = [n for n, c in self.roles.items() if c.metadata.nbgrader["solution"]]

    def changed(self, piece: Piece, name: str) -> bool:
        """Whether a cell says something else than was handed out; a test, than the teacher has."""
        says = fingerprint(piece.cell)
        as_given = (
            {self.says[name]} if name in self.answers else {self.says[name], self.tests[name]}
        )
        return says not in as_given

    def names(self, answer: str) -> set[str]:
        cell = self.roles[answer]
        return defined(cell.source) if cell.cell_type == "code" else set()


def repaired(handed: NotebookNode, task: Task) -> tuple[NotebookNode, bool, list[str]]:
    """The notebook for nbgrader, whether it answers anything, and what was done to it."""
    pieces, notes = [Piece(cell) for cell in handed.cells], []
    _recognise(pieces, task)
    for answer in task.answers:
        _find_elsewhere(pieces, task, answer, notes)
        _keep_one(pieces, task, answer, notes)
    kept = {piece.role: piece for piece in pieces if piece.role in task.answers}
    answered = any(task.changed(piece, name) for name, piece in kept.items())
    lost = sum(role(piece.cell) != piece.role for piece in pieces if piece.role)
    if lost:
        notes.insert(0, f"nbgrader's marks restored on {lost} cell{'s' * (lost > 1)}")
    _put_tests(pieces, task, notes)
    cells = [_finished(piece, task, notes) for piece in pieces]
    _name_cells(cells)
    return new_notebook(cells=cells, metadata=deepcopy(task.metadata)), answered, notes


def _recognise(pieces: list[Piece], task: Task) -> None:
    texts = list(task.says.values())
    by_text = {text: name for name, text in task.says.items() if texts.count(text) == 1}
    for piece in pieces:
        text = by_text.get(fingerprint(piece.cell), "")
        for name in (role(piece.cell), piece.cell.id, text):
            if name in task.roles:
                piece.role = name
                break


def _find_elsewhere(pieces: list[Piece], task: Task, answer: str, notes: list[str]) -> None:
    """If the cell for an answer is as it was given, or gone: whether another cell answers."""
    claims = [piece for piece in pieces if piece.role == answer]
    if any(task.changed(piece, answer) for piece in claims):
        return
    own = [p for p in pieces if _is_own(p, task) and defined(p.cell.source) & task.names(answer)]
    if not own and not claims:
        own = _between_neighbours(pieces, task, answer)
    if own and (claims or role(own[0].cell)):
        notes.append(f"{answer}: answered in another cell, which is taken")
    for piece in claims if own else ():
        pieces.remove(piece)
    for piece in own:
        piece.role = answer


def _is_own(piece: Piece, task: Task) -> bool:
    """Whether a student wrote a cell, or wrote into a test."""
    if piece.role:
        return piece.role not in task.answers and task.changed(piece, piece.role)
    return fingerprint(piece.cell) not in task.given


def _between_neighbours(pieces: list[Piece], task: Task, answer: str) -> list[Piece]:
    """The only own cell of the right type between the cells that stood around an answer."""
    at = task.released.index(task.roles[answer])
    known = {fingerprint(cell): cell for cell in task.released}
    around = [
        known.get(fingerprint(p.cell), task.roles.get(p.role)) if not _is_own(p, task) else None
        for p in pieces
    ]
    before = [i for i, cell in enumerate(around) if cell in task.released[:at]]
    after = [i for i, cell in enumerate(around) if cell in task.released[at + 1 :]]
    begin = max(before, default=-1) + 1
    end = min((i for i in after if i >= begin), default=len(pieces))
    cell_type = task.roles[answer].cell_type
    own = [p for p in pieces[begin:end] if not p.role and p.cell.cell_type == cell_type]
    return own if len(own) == 1 else []


def _keep_one(pieces: list[Piece], task: Task, answer: str, notes: list[str]) -> None:
    """Of several cells for one answer, the one that answers; helpers stay as ordinary cells."""
    claims = [piece for piece in pieces if piece.role == answer]
    if len(claims) < 2:
        return
    changed = [piece for piece in claims if task.changed(piece, answer)]
    names = task.names(answer)
    real = [p for p in changed if defined(p.cell.source) & names] or changed or claims[:1]
    kept, why = _decided(real)
    notes.append(f"{answer}: there {len(claims)} times, {why} is kept")
    for piece in claims:
        if piece is kept:
            continue
        if piece in changed and piece not in real:
            piece.role = ""
        elif piece in changed and fingerprint(piece.cell) != fingerprint(kept.cell):
            piece.role, piece.cell = "", _aside(piece.cell, answer)
        else:
            pieces.remove(piece)


def _decided(real: list[Piece]) -> tuple[Piece, str]:
    if len(real) == 1:
        return real[0], "the one with the answer"
    if len({fingerprint(piece.cell) for piece in real}) == 1:
        return real[-1], "one of equal ones"
    counts = [piece.cell.get("execution_count") or 0 for piece in real]
    if max(counts) and counts.count(max(counts)) == 1:
        return real[counts.index(max(counts))], "the one that was run last"
    return real[-1], "the last (LOOK AT IT: they differ, and nothing tells which was run last)"


def _aside(cell: NotebookNode, answer: str) -> NotebookNode:
    text = f"Another answer to {answer}, set aside:\n\n~~~\n{cell.source}\n~~~"
    return new_markdown_cell(text, id=cell.id)


def _put_tests(pieces: list[Piece], task: Task, notes: list[str]) -> None:
    """Each locked cell once, as the teacher has it, and behind its answer; no answer missing."""
    answer = ""
    for name, given in task.roles.items():
        there = [piece for piece in pieces if piece.role == name]
        if name in task.answers:
            answer = name
            if not there:
                pieces.insert(_place(pieces, task, name), Piece(deepcopy(given), name))
                notes.append(f"{name}: deleted, put back as it was given")
            continue
        if not there:
            notes.append(f"{name}: deleted, put back")
        elif any(task.changed(piece, name) for piece in there):
            notes.append(f"{name}: changed, put back as it was given")
        for piece in there[1:]:
            pieces.remove(piece)
            notes.append(f"{name}: there twice, once is enough")
        test = there[0] if there else Piece(given, name)
        test.cell = deepcopy(task.teachers[name])
        place = max((i for i, p in enumerate(pieces) if p.role == answer), default=-1)
        if not there or (answer and pieces.index(test) < place):
            if there:
                pieces.remove(test)
                place -= 1
                notes.append(f"{name}: moved behind its answer")
            pieces.insert(place + 1, test)


def _place(pieces: list[Piece], task: Task, name: str) -> int:
    """Where a deleted answer belongs: before the next cell with a role that is there."""
    order = list(task.roles)
    later = order[order.index(name) + 1 :]
    return next((i for i, piece in enumerate(pieces) if piece.role in later), len(pieces))


def _finished(piece: Piece, task: Task, notes: list[str]) -> NotebookNode:
    """A cell with nbgrader's metadata if it has a role, else without."""
    cell = piece.cell
    if not piece.role:
        cell.metadata.pop("nbgrader", None)
        return cell
    given = task.roles[piece.role]
    if cell.cell_type != given.cell_type:
        notes.append(f"{piece.role}: was a {cell.cell_type} cell")
    cell.id, cell.cell_type, cell.metadata = piece.role, given.cell_type, deepcopy(given.metadata)
    if cell.cell_type == "code":
        cell.setdefault("outputs", [])
        cell.setdefault("execution_count", None)
    else:
        cell.pop("outputs", None)
        cell.pop("execution_count", None)
    return cell


def _name_cells(cells: list[NotebookNode]) -> None:
    """No id twice, and the same ids for the same notebook."""
    taken = {role(cell) for cell in cells if role(cell)}
    for number, cell in enumerate(cells):
        if not role(cell):
            free = (f"cell-{n}" for n in range(number, number + len(taken) + 1))
            cell.id = cell.id if cell.id not in taken else next(n for n in free if n not in taken)
            taken.add(cell.id)
