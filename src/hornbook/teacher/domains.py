"""One writer per domain: sentences from facts, for a topic and a random stream.

Each writer returns the parts of a lesson: concept, explanation, worked example, exercise, answer.
A combination that `knowledge.is_held_out` reserves for the micro-suites is never written.
"""

import random
from collections.abc import Callable
from typing import Any, NamedTuple

from hornbook.teacher.knowledge import facts, is_held_out


class Lesson(NamedTuple):
    """Parts of a lesson, each a few sentences."""

    concept: str
    explanation: str
    example: str
    exercise: str
    answer: str


Writer = Callable[[random.Random, str], Lesson]


def article(noun: str) -> str:
    """The noun with `a` or `an`."""
    return f"an {noun}" if noun[0] in "aeiou" else f"a {noun}"


def named(kind: str, member: str) -> str:
    """A member as it stands in a sentence: substances and names take no article."""
    return member if kind in {"metal", "liquid", "planet", "gas", "plant"} else article(member)


def science(rng: random.Random, topic: str) -> Lesson:
    """Classes, their members, and what follows from belonging to one."""
    classes: dict[str, Any] = facts()["classes"]
    kind = topic if topic in classes else rng.choice(sorted(classes))
    fact = classes[kind]
    open_members = [m for m in fact["members"] if not is_held_out("science", kind, m)]
    one, two, three = rng.sample(open_members, 3)
    other = rng.choice([name for name in sorted(classes) if name != kind])
    return Lesson(
        f"Every {kind} has {fact['has']}. Every {kind} also {fact['does']}.",
        f"{named(kind, one).capitalize()} is {article(kind)}, and {named(kind, two)} is "
        f"{article(kind)} too. This is why {named(kind, one)} {fact['does']}, just as "
        f"{named(kind, two)} does. {article(other).capitalize()} is different: it "
        f"{classes[other]['does']}.",
        f"Think of {named(kind, three)}. What do we know about it? It is {article(kind)}. So it "
        f"has {fact['has']}, and it {fact['does']}.",
        f"{named(kind, two).capitalize()} is {article(kind)}. What does {named(kind, two)} do?",
        f"{named(kind, two).capitalize()} {fact['does']}.",
    )


ORDINALS = ("first", "second", "third", "fourth", "last")


def daily(rng: random.Random, topic: str) -> Lesson:
    """Activities as ordered steps."""
    activities: dict[str, list[str]] = facts()["steps"]
    activity = topic if topic in activities else rng.choice(sorted(activities))
    steps, name = activities[activity], rng.choice(facts()["names"])
    at = rng.randrange(len(steps) - 1)
    told = ", then ".join(steps)
    return Lesson(
        f"For {activity}, the order of the steps matters.",
        f"Here is how it goes: {told}. The {ORDINALS[at]} step is to {steps[at]}. "
        f"After that you {steps[at + 1]}.",
        f"{name} is {activity}. First {name} will {steps[0]}. Next {name} will {steps[1]}. "
        f"At the end {name} will {steps[-1]}.",
        f"{name} is {activity} and has just finished this step: {steps[at]}. What comes next?",
        f"The next step is to {steps[at + 1]}.",
    )


def physical(rng: random.Random, topic: str) -> Lesson:
    """Tools, materials, and what happens when."""
    tools: dict[str, str] = facts()["tools"]
    tool = topic if topic in tools else rng.choice(sorted(tools))
    other = rng.choice([name for name in sorted(tools) if name != tool])
    name, happening = rng.choice(facts()["names"]), rng.choice(facts()["physical"])
    person = next(
        (n for n in rng.sample(facts()["names"], 16) if not is_held_out("tool", n, tool)), name
    )
    return Lesson(
        f"You use {article(tool)} to {tools[tool]}.",
        f"When {happening['cause']}, {happening['effect']}. It would be wrong to say that "
        f"{happening['other']}. {article(other).capitalize()} is for another job: with it you "
        f"can {tools[other]}.",
        f"{person} wants to {tools[tool]}. {person} takes {article(tool)}, not "
        f"{article(other)}. That is the right tool.",
        f"What happens when {happening['cause']}?",
        f"{happening['effect'].capitalize()}.",
    )


def social(rng: random.Random, topic: str) -> Lesson:
    """What people feel and what helps."""
    scenes = facts()["social"]
    scene = next((s for s in scenes if s["event"] == topic), None) or rng.choice(scenes)
    names = [n for n in facts()["names"] if not is_held_out("social", n, scene["event"])]
    one, two = rng.sample(names, 2)
    return Lesson(
        f"When somebody {scene['event']}, that person feels {scene['feels']}.",
        f"A good friend sees this. It helps to {scene['act']}. It does not help to {scene['bad']}.",
        f"{one} {scene['event']}. How does {one} feel? {one} feels {scene['feels']}. {two} wants "
        f"to be kind, so {two} will {scene['act']}.",
        f"{two} {scene['event']}. How does {two} feel?",
        f"{two} feels {scene['feels']}.",
    )


def mind(rng: random.Random, topic: str) -> Lesson:
    """Who knows what: people look where they last saw a thing."""
    fact = facts()
    thing = topic if topic in fact["objects"] else rng.choice(fact["objects"])
    while True:
        one, two = rng.sample(fact["names"], 2)
        here, there = rng.sample(fact["containers"], 2)
        if not is_held_out("mind", one, thing, here, there):
            break
    return Lesson(
        "People act on what they have seen. A person who did not see a change does not know it.",
        f"{one} puts the {thing} in the {here} and goes out. {two} moves the {thing} to the "
        f"{there}. {one} did not see it.",
        f"{one} comes back for the {thing}. Where will {one} look first? {one} thinks the "
        f"{thing} is in the {here}. So {one} will look in the {here}. Only {two} knows that the "
        f"{thing} is in the {there}.",
        f"Where does {two} think the {thing} is?",
        f"{two} thinks it is in the {there}, because {two} moved it.",
    )


def is_left_out(big: str, *, first: bool) -> bool:
    """Whether textbooks leave out this version of a pronoun's sentence; one of two at most."""
    both = all(is_held_out("pronoun", big, one) for one in (True, False))
    return is_held_out("pronoun", big, first) and (first or not both)


def pronoun(rng: random.Random, topic: str) -> Lesson:
    """What a pronoun refers to."""
    rows = facts()["pronouns"]
    row = next((r for r in rows if r["big"] == topic), None) or rng.choice(rows)
    first = rng.random() < 0.5
    if is_left_out(row["big"], first=first):
        first = not first
    why = row["if_first"] if first else row["if_second"]
    meant = row["big"] if first else row["small"]
    other = row["small"] if first else row["big"]
    name = rng.choice(facts()["names"])
    return Lesson(
        "A small word such as it stands for a thing that was named before.",
        f"The {row['big']} {row['relation']} the {row['small']} because {why}. "
        f"Here it means the {meant}, not the {other}.",
        f"{name} reads: the {row['big']} {row['relation']} the {row['small']} because {why}. "
        f"{name} asks what it is. It is the {meant}.",
        f"The {row['big']} {row['relation']} the {row['small']} because {why}. What does it mean?",
        f"It means the {meant}.",
    )


def general(rng: random.Random, topic: str) -> Lesson:
    """Capitals, colors, opposites."""
    fact = facts()
    capitals, colors, opposites = fact["capitals"], fact["colors"], fact["opposites"]
    land = topic if topic in capitals else rng.choice(sorted(capitals))
    color, word = rng.choice(sorted(colors)), rng.choice(sorted(opposites))
    name, other = rng.choice(fact["names"]), rng.choice([c for c in sorted(capitals) if c != land])
    return Lesson(
        f"The capital of {land} is {capitals[land]}.",
        f"Many people live in {capitals[land]}. Do not mix it up with {capitals[other]}, which is "
        f"the capital of {other}. Other things to know: {color} is {colors[color]}, and the "
        f"opposite of {word} is {opposites[word]}.",
        f"{name} looks at a map of {land} and finds {capitals[land]}. {name} says: this is the "
        f"capital of {land}.",
        f"What is the capital of {land}?",
        f"The capital of {land} is {capitals[land]}.",
    )


def word_problem(rng: random.Random, row: dict[str, str], numbers: tuple[int, int]) -> str:
    """A story with its question; names and things vary."""
    fact = facts()
    one, two = rng.sample(fact["names"], 2)
    x, y = numbers
    text = f"{row['story']} {row['ask']}"
    return text.format(a=one, b=two, thing=rng.choice(fact["things"]), x=x, y=y)


def open_numbers(rng: random.Random, op: str) -> tuple[int, int]:
    """Two numbers whose combination is not reserved, in the range of the operator."""
    while True:
        x, y = number_pair(rng, op)
        if not is_held_out("arithmetic", op, x, y):
            return x, y


def number_pair(rng: random.Random, op: str) -> tuple[int, int]:
    """Small whole numbers; a difference never falls below one."""
    if op == "*":
        return rng.randint(2, 9), rng.randint(2, 9)
    y = rng.randint(2, 19)
    return (rng.randint(y + 1, 29) if op == "-" else rng.randint(2, 19)), y


def program(op: str, x: int, y: int) -> str:
    """The solution as a function of Python."""
    return f"def solve():\n    x = {x}\n    y = {y}\n    return x {op} y"


COMPUTE: dict[str, Callable[[int, int], int]] = {
    "+": lambda x, y: x + y,
    "-": lambda x, y: x - y,
    "*": lambda x, y: x * y,
}


def arithmetic(rng: random.Random, topic: str) -> Lesson:
    """Word problems solved as Python."""
    rows = [row for row in facts()["arithmetic"] if row["op"] == topic] or facts()["arithmetic"]
    parts: list[str] = []
    for _ in range(4):
        row = rng.choice(rows)
        x, y = open_numbers(rng, row["op"])
        problem = word_problem(rng, row, (x, y))
        parts.append(f'"""{problem}"""\n{program(row["op"], x, y)}\n# {x} {row["op"]} {y} = '
                     f'{COMPUTE[row["op"]](x, y)}')  # fmt: skip
    row = rng.choice(rows)
    x, y = open_numbers(rng, row["op"])
    return Lesson(
        "A word problem can be solved with a short program.",
        f"Find the two numbers, choose the operation, and return the result.\n\n{parts[0]}",
        "\n\n".join(parts[1:]),
        word_problem(rng, row, (x, y)),
        f"{program(row['op'], x, y)}\n# {x} {row['op']} {y} = {COMPUTE[row['op']](x, y)}",
    )


SAMPLES: dict[str, tuple[Any, ...]] = {
    "x": (3, 8, 15),
    "items": ([1, 5, 9], [2, 4, 6, 8], [7, 3, 10, 1]),
    "text": ("garden", "hello", "tree"),
}


def function_source(row: dict[str, str], n: int) -> str:
    """A function with its docstring, as the textbooks and the micro-suite present it."""
    doc = row["doc"].replace(" N", f" {n}")
    return f'def {row["name"]}_{n}({row["args"]}):\n    """{doc}"""\n    {row["body"].format(n=n)}'


def function_checks(row: dict[str, str], n: int) -> list[str]:
    """Assertions that the function has to pass."""
    checks: list[str] = []
    for value in SAMPLES[row["args"]]:
        expected = eval(row["eval"].format(n=n), {"len": len, "sum": sum}, {row["args"]: value})  # noqa: S307 - our own facts
        checks.append(f"assert {row['name']}_{n}({value!r}) == {expected!r}")
    return checks


def functions(rng: random.Random, topic: str) -> Lesson:
    """Short functions with docstrings and tests."""
    rows: list[dict[str, str]] = facts()["functions"]
    row = next((r for r in rows if r["name"] == topic), None) or rng.choice(rows)
    open_numbers = [n for n in range(1, 13) if not is_held_out("function", row["name"], n)]
    one, two, three = rng.sample(open_numbers, 3)
    return Lesson(
        f"The function below has one parameter, {row['args']}, and a docstring that says what "
        f"it returns.",
        function_source(row, one) + "\n\n" + "\n".join(function_checks(row, one)),
        function_source(row, two) + "\n\n" + "\n".join(function_checks(row, two)[:2]),
        f"Write a function {row['name']}_{three}. {row['doc'].replace(' N', f' {three}')}",
        function_source(row, three),
    )


WRITERS: dict[str, Writer] = {
    "science": science,
    "daily activities": daily,
    "physical common sense": physical,
    "social common sense": social,
    "theory of mind": mind,
    "pronouns": pronoun,
    "general knowledge": general,
    "mathematics": arithmetic,
    "code": functions,
}
