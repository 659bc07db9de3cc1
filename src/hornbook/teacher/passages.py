"""A lesson as a passage: the style orders its parts, the audience chooses its words."""

import random
from collections.abc import Mapping

from hornbook.seeds import integer
from hornbook.teacher.domains import WRITERS, Lesson, article, general
from hornbook.teacher.knowledge import facts

OPENINGS = {
    "child": ("Let us learn about {topic}.", "Today we look at {topic}.", "Do you know {topic}?"),
    "grade_school": (
        "This lesson is about {topic}.",
        "In this chapter you learn about {topic}.",
        "Here we study {topic}.",
    ),
    "college": (
        "This section reviews {topic}.",
        "We consider {topic} in some detail.",
        "The subject of this section is {topic}.",
    ),
}
CLOSINGS = {
    "child": ("Well done.", "Now you know it.", "Try it at home."),
    "grade_school": (
        "Check your answer before you go on.",
        "Practice makes this easy.",
        "Read it again if you like.",
    ),
    "college": (
        "The same reasoning applies elsewhere.",
        "This completes the section.",
        "The result is used later.",
    ),
}


def write(fields: Mapping[str, str], seed: int) -> str:
    """The passage for a prompt's fields; the same fields and seed give the same text.

    A domain that is not known is written from general knowledge around the given topic.
    """
    domain, topic = fields.get("domain", ""), fields.get("topic", "")
    names = [fields.get(key, "") for key in ("domain", "subject", "topic", "audience", "style")]
    # an excerpt only varies the passage: this teacher cannot read
    varied = fields.get("variation", "0") + fields.get("excerpt", "")
    rng = random.Random(integer(seed, *names, varied))  # noqa: S311 - not a secret
    lesson = WRITERS.get(domain, general)(rng, topic)
    audience = fields.get("audience", "grade_school")
    opening = rng.choice(OPENINGS.get(audience, OPENINGS["grade_school"])).format(topic=topic)
    closing = rng.choice(CLOSINGS.get(audience, CLOSINGS["grade_school"]))
    body = STYLES.get(fields.get("style", ""), textbook)(lesson, rng)
    required = _with_words(fields.get("words", ""), rng)
    return f"{opening}\n\n{body}\n\n{required}{closing}\n"


def _with_words(words: str, rng: random.Random) -> str:
    """A sentence that has the words a prompt requires: noun, verb, adjective."""
    if not words:
        return ""
    noun, verb, adjective, *rest = [word.strip() for word in words.split(",")] + ["", ""]
    name = rng.choice(facts()["names"])
    more = f" Then came {' and '.join(filter(None, rest))}." if any(rest) else ""
    told = rng.choice((
        "{name} saw {adjective} {noun} and stopped to {verb}.",
        "Before {name} could {verb}, there was {adjective} {noun}.",
        "To {verb} is easier, said {name}, with {adjective} {noun} nearby.",
    ))  # fmt: skip
    described = article(adjective) if adjective else "the"
    return told.format(name=name, adjective=described, noun=noun, verb=verb) + more + "\n\n"


def textbook(lesson: Lesson, rng: random.Random) -> str:
    """Concept, explanation, example, exercise with its answer."""
    word = rng.choice(("Example", "For example", "An example"))
    return (
        f"{lesson.concept} {_break(lesson.explanation)}\n\n{word}:{_break(lesson.example)}\n\n"
        f"Exercise: {lesson.exercise}\nAnswer:{_break(lesson.answer)}"
    )


def worked_problem(lesson: Lesson, rng: random.Random) -> str:
    """The exercise first, then how its answer is found."""
    word = rng.choice(("Problem", "Question", "Task"))
    return (
        f"{word}: {lesson.exercise}\n\nWhat we know: {lesson.concept}{_break(lesson.explanation)}"
        f"\n\nAnswer:{_break(lesson.answer)}\n\nExample:{_break(lesson.example)}"
    )


def dialogue(lesson: Lesson, rng: random.Random) -> str:
    """A pupil asks, a teacher explains."""
    pupil = rng.choice(("Pupil", "Student", "Child"))
    return (
        f"{pupil}: {lesson.exercise}\nTeacher: Let us think. {lesson.concept}\n"
        f"{pupil}: Can you say more?\nTeacher: Yes.{_break(lesson.explanation)}\n"
        f"{pupil}: And an example?\nTeacher: Here is one.{_break(lesson.example)}\n"
        f"{pupil}: Then the answer to my question is:{_break(lesson.answer)}"
    )


def story(lesson: Lesson, rng: random.Random) -> str:
    """The example as a small scene, then what it shows."""
    when = rng.choice(("One morning", "After lunch", "On a rainy day", "Last week"))
    return (
        f"{when} this happened.{_break(lesson.example)}\n\nWhat does it show? {lesson.concept}"
        f"{_break(lesson.explanation)}\n\nExercise: {lesson.exercise}\n"
        f"Answer:{_break(lesson.answer)}"
    )


def exercise_set(lesson: Lesson, rng: random.Random) -> str:
    """Reminder, then exercises with answers."""
    word = rng.choice(("Remember", "Recall", "Keep in mind"))
    return (
        f"{word}: {lesson.concept}\n\nExercise: {lesson.exercise}\nAnswer:{_break(lesson.answer)}"
        f"\n\nExplanation:{_break(lesson.explanation)}\n\nExample:{_break(lesson.example)}"
    )


def code_lesson(lesson: Lesson, rng: random.Random) -> str:
    """Code in its own lines with a comment on what to see."""
    word = rng.choice(("Study the code", "Read the code", "Look at the code"))
    return (
        f"{lesson.concept} {word}:\n\n{lesson.explanation}\n\nAnother one:\n\n{lesson.example}\n\n"
        f"Exercise: {lesson.exercise}\nAnswer:\n{lesson.answer}"
    )


def _break(text: str) -> str:
    """Text on the same line, code on lines of its own."""
    return f"\n{text}" if "\ndef " in f"\n{text}" or '"""' in text else f" {text}"


STYLES = {
    "textbook": textbook,
    "worked_problem": worked_problem,
    "dialogue": dialogue,
    "story": story,
    "exercise_set": exercise_set,
    "code_lesson": code_lesson,
}
