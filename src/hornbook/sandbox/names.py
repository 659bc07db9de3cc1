"""Which names of a program its tests may use, and which imports they need themselves."""

import ast
import builtins
from dataclasses import dataclass

_BUILTIN = frozenset(dir(builtins))


@dataclass(frozen=True)
class Names:
    """What the tests start with."""

    imports: str  # statements for the process of the tests
    of_program: tuple[str, ...]  # names that they have from the program


def names_for(tests: str, reference: str = "") -> Names:
    """The names that `tests` use and do not bind.

    A builtin is the program's only where `reference`, a trusted solution, defines it too: a
    program that calls something of its own `abs` cannot change what its tests compute. Modules
    that the reference imports are imported by the tests.
    """
    used, bound = _used_and_bound(_parsed(tests))
    imports: list[str] = []
    defined: set[str] = set()
    for node in _parsed(reference).body:
        if isinstance(node, ast.Import | ast.ImportFrom):
            for alias in node.names:
                name = (alias.asname or alias.name).partition(".")[0]
                if name in used - bound:
                    imports.append(ast.unparse(_only(node, alias)))
                    bound.add(name)
        elif isinstance(node, ast.FunctionDef | ast.ClassDef | ast.AsyncFunctionDef):
            defined.add(node.name)
        elif isinstance(node, ast.Assign):
            defined |= {one.id for one in node.targets if isinstance(one, ast.Name)}
    wanted = used - bound - (_BUILTIN - defined)
    return Names("\n".join(imports), tuple(sorted(wanted)))


def _parsed(source: str) -> ast.Module:
    """The syntax tree; of what does not parse, an empty one: running it says what is wrong."""
    try:
        return ast.parse(source)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return ast.Module([], [])


def _used_and_bound(tree: ast.Module) -> tuple[set[str], set[str]]:
    used: set[str] = set()
    bound: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Name):
            (used if isinstance(node.ctx, ast.Load) else bound).add(node.id)
        elif isinstance(node, ast.arg):
            bound.add(node.arg)
        elif isinstance(node, ast.FunctionDef | ast.ClassDef | ast.AsyncFunctionDef):
            bound.add(node.name)
        elif isinstance(node, ast.alias):
            bound.add((node.asname or node.name).partition(".")[0])
    return used, bound


def _only(node: ast.Import | ast.ImportFrom, alias: ast.alias) -> ast.stmt:
    if isinstance(node, ast.Import):
        return ast.Import([alias])
    return ast.ImportFrom(node.module, [alias], node.level)
