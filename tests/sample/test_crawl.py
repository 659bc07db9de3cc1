"""The sample crawl: the same bytes each time, every fault inside, and text that does not repeat."""

import gzip
import random
import re
import zlib
from collections import Counter
from itertools import islice
from pathlib import Path

import pytest
import yaml
from pydantic import TypeAdapter

from hornbook.sample.crawl import faults, files
from hornbook.sample.grammar import Writer, bank, sections
from hornbook.sample.pages import KINDS, kind_of, page
from hornbook.web.archives import Page, Reading
from hornbook.web.config import Corpus
from hornbook.web.pages import extract
from hornbook.web.readers import reader_of

ROOT = Path(__file__).resolve().parents[2]
CONF = yaml.safe_load((ROOT / "conf/web/laptop.yaml").read_text("utf-8"))["corpus"]
SETTINGS = TypeAdapter(Corpus).validate_python(CONF)


@pytest.fixture(scope="module")
def crawl(tmp_path_factory: pytest.TempPathFactory) -> tuple[list[Page], Counter[str]]:
    """All pages of a thousand, and what could not be read."""
    folder = tmp_path_factory.mktemp("web")
    reading = Reading(SETTINGS.limits)
    found: list[Page] = []
    for name, content in files(1000, 0).items():
        (folder / name).write_bytes(content)
        found += reader_of(name)(folder / name, reading)
    return found, reading.broken


@pytest.fixture(scope="module")
def judged(crawl: tuple[list[Page], Counter[str]]) -> list[tuple[str, str | None, str]]:
    """Kind, reason of the drop, and text of each page."""
    rows = [(one.source, extract(one, SETTINGS)) for one in crawl[0]]
    kinds = [re.sub(r"^https?://[^/]+/|/.*", "", source) for source, _ in rows]
    return [(kind, row["reason"], row["text"]) for kind, (_, row) in zip(kinds, rows, strict=True)]


def members(content: bytes) -> set[bytes]:
    """The gzip members of a file, without one that breaks off."""
    found: set[bytes] = set()
    while content:
        unpack = zlib.decompressobj(wbits=31)
        member = unpack.decompress(content)
        if unpack.eof:
            found.add(member)
        content = unpack.unused_data
    return found


def test_two_builds_are_equal_and_another_seed_is_not() -> None:
    assert files(60, 0) == files(60, 0)
    assert files(60, 0) != files(60, 1)


def test_more_pages_leave_the_first_ones_as_they_are() -> None:
    assert files(50, 0)["crawl-00003.warc"] == files(80, 0)["crawl-00003.warc"]


def test_the_gzip_members_carry_no_time() -> None:
    content = files(60, 0)["crawl-00000.warc.gz"]
    assert content[:4] == b"\x1f\x8b\x08\x00"
    assert content[4:8] == b"\0\0\0\0"
    assert gzip.decompress(content).startswith(b"WARC/1.0\r\nWARC-Type: warcinfo")


def test_a_thousand_pages_hold_each_kind_as_often_as_stated() -> None:
    stated = {kind: share for kind, (share, _) in KINDS.items()}
    assert Counter(map(kind_of, range(1000))) == stated
    assert Counter(map(kind_of, range(3000, 4000))) == stated


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_no_mark_of_the_grammar_is_left_on_a_page(kind: str) -> None:
    for seed in range(20):
        one = page(kind, random.Random(seed))
        text = "\n".join((one.title, *one.paragraphs))
        assert not set(text) & set("$<>|{}"), text
        assert len(one.paragraphs) >= 1
        assert all(part.strip() for part in one.paragraphs)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("$a.x and $a.x", "One and one"),
        ("see <3..3>. it is <b|b>", "See 3. It is b"),
        ("the <b <c|c>|b <c|c>> $^a", "The b c One"),
        ("a old house, a unit", "An old house, a unit"),
    ],
)
def test_the_grammar_draws_binds_and_capitalises(text: str, expected: str) -> None:
    assert Writer(random.Random(0), sections("[a,]\none"), {}).prose(text) == expected


def test_a_page_repeats_an_alternative_only_when_all_were_used() -> None:
    writer = Writer(random.Random(0), sections("[a]\n1\n2\n3"), {})
    assert sorted(writer.draw("a") for _ in range(3)) == ["1", "2", "3"]
    assert writer.draw("a") in {"1", "2", "3"}


def test_every_name_that_the_bank_draws_is_a_section() -> None:
    from hornbook.sample.grammar import DRAW

    rules = bank()
    drawn = {m[2] for rows in rules.values() for row in rows for m in DRAW.finditer(row)}
    missing = {name for name in drawn if name not in rules and name.partition(".")[0] not in rules}
    assert missing == {"what.t"}  # the topic, bound by the explainer


def test_what_cannot_be_read_is_counted_and_the_rest_survives(
    crawl: tuple[list[Page], Counter[str]],
) -> None:
    found, broken = crawl
    for reason in ("not_ok", "not_html", "empty_body"):
        assert broken[reason] >= 2, reason
    sources = {one.source for one in found}
    assert {f"http://faults.example/{name}" for name in ("charset", "latin", "unclosed")} <= sources
    assert len([one for one in found if "faults.example" not in one.source]) >= 1000


def test_the_faults_are_all_there_and_differ() -> None:
    records = faults(0)
    assert set(records) >= {
        "not_found", "image", "empty_body", "unknown_charset", "wrong_charset", "unclosed",
        "broken_gzip_body", "length_too_small", "length_too_large", "length_not_a_number",
    }  # fmt: skip
    assert len(set(records.values())) == len(records)
    written = members(files(60, 0)["crawl-00002.warc.gz"])
    assert [name for name, record in records.items() if record not in written] == []


def test_every_file_ends_with_a_whole_record() -> None:
    for content in files(60, 0).values():
        plain = gzip.decompress(content) if content[:2] == b"\x1f\x8b" else content
        assert plain.endswith(b"\r\n\r\n")


def test_each_kind_of_bad_page_meets_the_rule_that_it_was_written_for(
    judged: list[tuple[str, str | None, str]],
) -> None:
    reasons: dict[str, set[str | None]] = {}
    for kind, reason, _ in judged:
        reasons.setdefault(kind, set()).add(reason)
    expected = {
        "casino": {"blocked_url_word"}, "symbols": {"too_few_words"}, "teaser": {"ellipsis_lines"},
        "filler": {"blocked_phrase"},
        "script": {"repeated_5_grams"}, "repeated": {"repeated_line_share"},
        "unspaced": {"repeated_line_share"}, "links": {"unended_lines"},
        "german": {"language"}, "french": {"language"}, "spanish": {"language"},
    }  # fmt: skip
    assert {kind: reasons[kind] for kind in expected} == expected
    assert "toxic" in reasons["toxic"]
    assert "unended_lines" in reasons["endless"]
    assert reasons["figures"] <= {"short_words", "words_without_letters"}
    assert "too_few_words" in reasons["short"]
    for kind in ("explainer", "howto", "garden", "recipe", "news", "forum", "diary", "life"):
        assert reasons[kind] == {None}, kind


def test_the_text_is_varied(judged: list[tuple[str, str | None, str]]) -> None:
    grams: set[tuple[str, ...]] = set()
    words = 0
    for _, reason, text in judged:
        if reason is None:
            row = text.lower().split()
            words += len(row)
            grams.update(zip(*(islice(row, at, None) for at in range(8)), strict=False))
    assert words > 100_000
    assert len(grams) / words > 0.4


def test_personal_data_are_of_reserved_ranges_only() -> None:
    for seed in range(40):
        text = " ".join(page("personal", random.Random(seed)).paragraphs)
        hosts = re.findall(r"@([\w.]+\w)", text)
        assert set(hosts) <= {"example.org", "example.com", "example.net"}
        for ip in re.findall(r"\d+\.\d+\.\d+\.\d+", text):
            assert ip.startswith(("192.0.2.", "203.0.113.", "198.51.100."))
        for phone in re.findall(r"\+\d[\d ]+\d", text):
            assert phone.startswith(("+1 202 555 01", "+44 20 7946 0"))
