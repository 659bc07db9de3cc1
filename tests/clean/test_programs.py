"""Functions are known again by their syntax, whatever they call things."""

import ast
import difflib
import random
import re
from pathlib import Path

import pytest

from hornbook.clean.config import Programs
from hornbook.clean.plants import renamed
from hornbook.clean.programs import ProgramIndex, blocks, longest_common, nodes, parsed
from hornbook.evaluate.texts import benchmark_items

SETTINGS = Programs(least_nodes=24, similarity=0.9)
SOURCE = '''def close(numbers: list[float], limit: float) -> bool:
    """Whether any two numbers are closer than the limit."""
    for place, one in enumerate(numbers):
        for other_place, other in enumerate(numbers):
            if place != other_place:
                distance = abs(one - other)
                if distance < limit:
                    return True
    return False
'''
RENAMED = """class Tool:
    @staticmethod
    def has_near(values, d=3):
        # looks at pairs
        for i, x in enumerate(values):
            for j, y in enumerate(values):
                if i != j:
                    gap = abs(x - y)

                    if gap < d:
                        return True
        return False

    def other(self):
        return 1
"""


def index(source=SOURCE, **more):
    values = {"least_nodes": 24, "similarity": 0.9} | more
    return ProgramIndex([(7, source)], Programs(**values))


def found(text, source=SOURCE, **more):
    return [item for item, *_ in index(source, **more).search(text)]


@pytest.mark.parametrize(
    ("text", "is_found"),
    [
        (SOURCE, True),
        (RENAMED, True),
        (f"Read this:\n\n```python\n{RENAMED}```\nand more.", True),
        (SOURCE.replace("distance < limit", "distance <= limit"), True),
        (SOURCE.replace("abs(one - other)", "max(one, other, 3) * sum(numbers) + len(numbers)")
         .replace("return False", "print(numbers)\n    return [other]"), False),
        ("def close(numbers, limit):\n    return bool(numbers)\n", False),
        ("no code at all", False),
    ],
    ids=["same", "renamed method", "in a book", "operator", "other", "name only", "text"],
)  # fmt: skip
def test_what_is_the_same_function(text, is_found):
    assert found(text) == ([7] if is_found else [])


def test_the_place_of_the_function_is_told():
    text = f"before\n\n{SOURCE}\nafter\n"
    ((_, similarity, begin, end),) = index().search(text)
    assert similarity == 1.0
    assert text[begin:end] == SOURCE.rstrip("\n")


@pytest.mark.parametrize(("least", "is_found"), [(45, True), (46, False)])
def test_small_functions_are_not_looked_for(least, is_found):
    (tokens,) = parsed(SOURCE)
    assert len(tokens) == 45
    assert bool(found(SOURCE, least_nodes=least)) is is_found


def test_names_literals_annotations_and_docstrings_do_not_count_builtins_and_attributes_do():
    def tokens(source):
        (function,) = ast.parse(source).body
        return nodes(function)

    one = tokens('def f(a: int) -> int:\n    "Text."\n    return a.real + len(b) + 1')
    assert one == tokens("def g(x):\n    return y.real + len(z) + 'c'")
    assert one != tokens("def g(x):\n    return y.imag + len(z) + 'c'")
    assert one != tokens("def g(x):\n    return y.real + sum(z) + 'c'")
    nested = tokens("def f():\n    for a in b:\n        c()\n        d()")
    assert nested != tokens("def f():\n    for a in b:\n        c()\n    d()")


@pytest.mark.parametrize("seed", range(5))
def test_the_longest_common_subsequence_is_that_of_the_table(seed):
    draw = random.Random(seed)
    (known,) = (one for one in index().functions)
    (own,) = parsed(SOURCE)
    other = [draw.choice([*own, "other"]) for _ in range(60)]
    table = [[0] * (len(other) + 1) for _ in range(len(own) + 1)]
    for i, one in enumerate(own):
        for j, two in enumerate(other):
            best = max(table[i][j + 1], table[i + 1][j])
            table[i + 1][j + 1] = table[i][j] + 1 if one == two else best
    assert longest_common(known, other) == table[-1][-1]
    assert longest_common(known, own) == len(own)


def test_functions_begin_and_end_by_indentation():
    text = "x = 1\ndef a(\n    b,\n):\n    c\n\n    d\ne = 2\n"
    text += "class F:\n    async def g(self):\n        h\n    i = 3\n"
    assert [text[begin:end].strip().splitlines()[-1].strip() for begin, end in blocks(text)] == [
        "d", "h"]  # fmt: skip


@pytest.mark.parametrize("seed", range(4))
def test_functions_begin_where_only_blanks_and_async_stand_before_def(seed):
    draw = random.Random(seed)
    parts = [
        "def ",
        "def f(",
        "def f (",
        "async ",
        "async\tdef g(",
        "\n",
        "\n",
        "\n    ",
        "\t",
        "x",
    ]
    for _ in range(500):
        text = "".join(draw.choices(parts, k=draw.randint(1, 12)))
        head = re.compile(r"^[ \t]*(?:async[ \t]+)?def[ \t]+\w+[ \t]*\(", re.MULTILINE)
        found = list(blocks(text))
        expected = {match.start() for match in head.finditer(text)}
        outer = {begin for begin, _ in found}
        assert outer <= expected, text
        assert all(any(a < one < b for a, b in found) for one in expected - outer), text


@pytest.mark.parametrize(
    "text",
    [
        "def f():\n    return " + "(" * 5000 + ")" * 5000,
        "def f():\n    return " + "-" * 7000 + "1",
        "def f(:\n    pass",
        "def f():\n    x = '\x00'\n",
        "def f():\n    \ud800 = 1\n",
        "def f():\n" + "    if a:\n" * 50,
        "def f():\n" + "".join(" " * (n + 1) + "if a:\n" for n in range(120)),
        "def " * 100_000,
        "def f(" * 50_000,
        "def f():\n\treturn 1\n        return 2\n",
        "def f():\n" + "    x = [1, 2]\n" * 100_000,
    ],
    ids=[
        "parentheses", "signs", "syntax", "nul", "surrogate", "no body", "deep", "words", "heads",
        "tabs", "long",
    ],
)  # fmt: skip
def test_hostile_code_is_not_a_benchmarks_and_ends_nothing(text):
    assert found(text) == []


def test_most_programs_of_the_real_benchmarks_are_found_when_renamed_and_few_in_other_code(shared):
    items = [one for one in benchmark_items(shared) if one.program]
    known = ProgramIndex([(n, one.program) for n, one in enumerate(items)], SETTINGS)
    assert len(known.items) > 0.55 * len(items)
    draw, missed = random.Random(0), 0
    for number in draw.sample(sorted(known.items), 60):
        source = renamed(items[number].program, draw)
        assert source is not None
        assert difflib.SequenceMatcher(None, source, items[number].program).ratio() < 0.95
        missed += number not in {item for item, *_ in known.search(f"text\n\n{source}\n")}
    assert missed <= 1
    # one function of difflib is nearly one of MBPP's; nothing else of these 4,000 lines is
    sources = [Path(one.__file__).read_text("utf-8") for one in (ast, difflib, random)]
    assert sum(len(list(known.search(source))) for source in sources) <= 1
