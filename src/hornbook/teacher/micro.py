"""Micro-suites: items of the teacher's own facts in combinations that no textbook states."""

import json
import random
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from hornbook.artifacts import write_text
from hornbook.teacher.domains import (
    COMPUTE,
    function_checks,
    function_source,
    named,
    number_pair,
    program,
    word_problem,
)
from hornbook.teacher.knowledge import facts, is_held_out

Item = dict[str, Any]
ITEMS = 120


def choice(rng: random.Random, cluster: str, context: str, right: str, wrong: list[str]) -> Item:
    """A multiple-choice item; the right answer's place is drawn."""
    answer = rng.randrange(len(wrong) + 1)
    choices = [*wrong[:answer], right, *wrong[answer:]]
    return {"cluster": cluster, "context": context, "choices": choices, "answer": answer}


def science(rng: random.Random) -> Iterator[Item]:
    """What follows for a member that no textbook puts in its class's sentences."""
    classes = facts()["classes"]
    for kind, fact in classes.items():
        for member in fact["members"]:
            if is_held_out("science", kind, member):
                others = rng.sample([k for k in classes if k != kind], 3)
                wrong = [f" {classes[k]['does']}." for k in others]
                noun = named(kind, member)
                asked = f"Question: {noun.capitalize()} is a {kind}. What does {noun} do?"
                frames = (
                    f"{asked}\nAnswer: {noun.capitalize()}",
                    f"{noun.capitalize()} is a {kind}. This is why {noun}",
                )
                for frame in frames:
                    yield choice(rng, f"{kind}/{member}", frame, f" {fact['does']}.", wrong)


def steps(rng: random.Random) -> Iterator[Item]:
    """The next step of a known activity, asked in a new frame."""
    for activity, order in facts()["steps"].items():
        for at in range(len(order) - 1):
            wrong = [f" {s}." for i, s in enumerate(order) if i not in {at, at + 1}]
            name = rng.choice(facts()["names"])
            context = (
                f"{name} starts {activity}. Right after {name} has to {order[at]}, {name} will"
            )
            yield choice(rng, activity, context, f" {order[at + 1]}.", rng.sample(wrong, 3))


def physical(rng: random.Random) -> Iterator[Item]:
    """The right tool for a person and job that were never together."""
    tools = facts()["tools"]
    for tool, job in tools.items():
        for name in facts()["names"]:
            if is_held_out("tool", name, tool):
                other = rng.choice([t for t in tools if t != tool])
                context = f"{name} wants to {job}. {name} takes a"
                yield choice(rng, tool, context, f" {tool}.", [f" {other}."])


def social(rng: random.Random) -> Iterator[Item]:
    """How somebody feels for whom it was never told."""
    scenes = facts()["social"]
    for scene in scenes:
        for name in facts()["names"]:
            if is_held_out("social", name, scene["event"]):
                feelings = sorted({s["feels"] for s in scenes} - {scene["feels"]})
                context = f"{name} {scene['event']}. How does {name} feel? {name} feels"
                wrong = [f" {f}." for f in rng.sample(feelings, 2)]
                yield choice(rng, scene["event"], context, f" {scene['feels']}.", wrong)


def mind(rng: random.Random) -> Iterator[Item]:
    """Where somebody looks who did not see the change."""
    fact = facts()
    for thing in fact["objects"]:
        for _ in range(60):
            one, two = rng.sample(fact["names"], 2)
            here, there = rng.sample(fact["containers"], 2)
            if is_held_out("mind", one, thing, here, there):
                context = (
                    f"{one} puts the {thing} in the {here} and goes out. {two} moves the {thing} "
                    f"to the {there}. {one} did not see it. {one} will look in the"
                )
                yield choice(rng, f"{thing}/{here}", context, f" {here}.", [f" {there}."])


MEANS = (  # none of these follows its sentence in a textbook
    "{0} So it means the",
    "{0} What does it mean? It means the",
    "Read this: {0} It is the",
    "{0} The small word it stands for the",
)


def pronoun(rng: random.Random) -> Iterator[Item]:
    """What `it` means in both versions of a sentence, each in a frame of its own.

    Of some sentences the textbooks have one version only, so that knowing it misleads.
    """
    for number, row in enumerate(facts()["pronouns"]):
        for first in (True, False):
            why = row["if_first"] if first else row["if_second"]
            meant, other = (row["big"], row["small"]) if first else (row["small"], row["big"])
            sentence = f"The {row['big']} {row['relation']} the {row['small']} because {why}."
            # the frames of a sentence's two versions differ, and each frame has both
            frame = MEANS[(number + 2 * first + number // 2) % len(MEANS)]
            yield choice(rng, row["big"], frame.format(sentence), f" {meant}.", [f" {other}."])


def functions(_: random.Random) -> Iterator[Item]:
    """Functions with a number that no textbook used for them."""
    for row in facts()["functions"]:
        for n in range(1, 13):
            if is_held_out("function", row["name"], n):
                source = function_source(row, n)
                prompt = source.rsplit("\n", 1)[0]
                yield {
                    "cluster": row["name"],
                    "prompt": prompt,
                    "entry_point": f"{row['name']}_{n}",
                    "tests": function_checks(row, n),
                    "canonical": source[len(prompt) :],
                }


def arithmetic(rng: random.Random) -> Iterator[Item]:
    """Word problems over pairs of numbers that no textbook solved."""
    for row in facts()["arithmetic"]:
        for _ in range(150):
            x, y = number_pair(rng, row["op"])
            if is_held_out("arithmetic", row["op"], x, y):
                prompt = f'"""{word_problem(rng, row, (x, y))}"""\ndef solve():'
                yield {
                    "cluster": f"{row['op']}/{row['story']}",
                    "prompt": prompt,
                    "entry_point": "solve",
                    "tests": [f"assert solve() == {COMPUTE[row['op']](x, y)}"],
                    "canonical": program(row["op"], x, y).partition(":")[2],
                }


# {0} is what is asked about, {1} another of its kind
FRAMES = {
    "capitals": (
        "{0} has a capital. The capital of {0} is",
        "Somebody asks: what is the capital of {0}? The answer is",
        "A stranger looks at a map of {0} and finds",
        "Far away from {1}, the capital of {0} is",
    ),
    "colors": (
        "One more thing to know: {0} is",
        "What is the color of {0}? We know that {0} is",
        "Things to know about {1} and {0}: {0} is",
    ),
    "opposites": (
        "What is the opposite of {0}? The opposite of {0} is",
        "One word is {0}, another is {1}. The opposite of {0} is",
        "Not the same as {0}, no: the opposite of {0} is",
    ),
    "physical": (
        "We wait and see. When {0},",
        "What happens when {0}? We see that",
        "Tell us what happens when {0}. Answer:",
        "Nobody is surprised: every time {0},",
    ),
}


def cloze(_: random.Random) -> Iterator[Item]:
    """Each fact asked for once, in one of several frames that no textbook has."""
    fact = facts()
    physical = {one["cause"]: one["effect"] for one in fact["physical"]}
    for kind, frames in FRAMES.items():
        known = physical if kind == "physical" else fact[kind]
        names = list(known)
        for number, (name, answer) in enumerate(known.items()):
            frame = frames[number % len(frames)]
            prompt = frame.format(name, names[number - 1])
            yield {"cluster": f"{kind}/{frame}", "prompt": prompt, "answer": answer}


SUITES: dict[str, Callable[[random.Random], Iterator[Item]]] = {
    "micro_science": science,
    "micro_steps": steps,
    "micro_physical": physical,
    "micro_social": social,
    "micro_mind": mind,
    "micro_pronoun": pronoun,
    "micro_functions": functions,
    "micro_arithmetic": arithmetic,
    "micro_cloze": cloze,
}


def items(task: str, seed: int) -> list[Item]:
    """Items of one suite with their ids, at most ITEMS, without repeats."""
    rng = random.Random(f"{seed}/{task}")  # noqa: S311 - not a secret
    unique = {json.dumps([i.get("context"), i.get("prompt")]): i for i in SUITES[task](rng)}
    rows = list(unique.values())
    kept = rng.sample(rows, ITEMS) if len(rows) > ITEMS else rows
    return [{"id": f"{task}-{number:03d}"} | row for number, row in enumerate(kept)]


def write_items(folder: Path, seed: int) -> None:
    """One `<suite>.jsonl` a suite."""
    for task in sorted(SUITES):
        lines = [json.dumps(item, ensure_ascii=False) for item in items(task, seed)]
        write_text(folder / f"{task}.jsonl", "\n".join(lines) + "\n")
