"""Topics that the embedded teacher knows, for whoever asks what else could be written about."""

import re

from hornbook.teacher.knowledge import facts

KNOWN = re.compile(r"^Known: (.*)$", re.MULTILINE)
COUNT = re.compile(r"^Count: (\d+)$", re.MULTILINE)
AREA = re.compile(r"^(Domain|Subject): (.+)$", re.MULTILINE)
SKY = {"planet", "metal", "liquid", "gas"}
OUTSIDE = {"borrowing a book", "crossing a street", "fixing a flat tire", "sending a package"}


def proposals(prompt: str) -> str:
    """As many topics as asked for that the prompt does not list, one per line."""
    area = {name.lower(): value.strip() for name, value in AREA.findall(prompt)}
    known, count = KNOWN.search(prompt), COUNT.search(prompt)
    listed = set(known.group(1).split("; ")) if known else set[str]()
    topics = topics_of(area.get("domain", ""), area.get("subject", ""))
    new = [topic for topic in topics if topic not in listed]
    return "\n".join(f"- {topic}" for topic in new[: int(count.group(1)) if count else None])


def topics_of(domain: str, subject: str) -> list[str]:
    """What the teacher can write about in a subject, in the order of its facts."""
    fact = facts()
    by_domain: dict[str, list[str]] = {
        "science": [kind for kind in fact["classes"] if (kind in SKY) == ("sky" in subject)],
        "daily activities": [a for a in fact["steps"] if (a in OUTSIDE) == (subject == "outside")],
        "physical common sense": list(fact["tools"]),
        "social common sense": [scene["event"] for scene in fact["social"]],
        "theory of mind": list(fact["objects"]),
        "pronouns": [row["big"] for row in fact["pronouns"]],
        "general knowledge": list(fact["capitals"]),
        "mathematics": list(dict.fromkeys(row["op"] for row in fact["arithmetic"])),
        "code": [row["name"] for row in fact["functions"]],
    }
    return by_domain.get(domain, [])
