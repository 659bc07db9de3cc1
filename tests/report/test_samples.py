"""Samples are the same rows at every look, counts are of all rows, and text stays text."""

import pyarrow as pa
import pytest

from hornbook.artifacts import write_table
from hornbook.evaluate.texts import ItemTexts
from hornbook.report.flips import answer_text, flips
from hornbook.report.samples import Limits, cell_text, datasets, shortened

LIMITS = Limits(rows=4, characters=20, excerpt_characters=8, kinds=2, counted_rows=1000)


def write(folder, name, rows):
    write_table(folder / f"{name}.parquet", pa.Table.from_pylist(rows))


def test_samples_stand_at_equal_distances_over_all_shards_and_kinds_are_counted(tmp_path):
    for shard in range(3):
        rows = [
            {"id": f"{shard}-{n}", "text": "a text of somebody", "licence": "MIT",
             "source": f"http://h{n % 3}.example/x"}
            for n in range(4)
        ]  # fmt: skip
        write(tmp_path, f"part-0000{shard}", rows)
    (found,) = datasets(tmp_path, LIMITS)
    assert (found.name, found.rows, found.is_excerpt) == ("documents", 12, True)
    column = found.columns.index("id")
    assert [row[column] for row in found.samples] == ["0-0", "0-3", "1-2", "2-1"]
    assert found.columns[0] == "text"
    assert {row[0] for row in found.samples} == {"a text o\N{HORIZONTAL ELLIPSIS}"}
    counts = {one.column: (one.values, one.others) for one in found.counts}
    assert counts["licence"] == ((("MIT", 12),), 0)
    assert counts["host or folder"] == ((("h0.example", 6), ("h1.example", 3)), 3)


def test_a_text_of_the_teacher_is_shown_at_length_and_its_source_is_not_counted(tmp_path):
    write(tmp_path, "part-00000", [{"text": "x" * 15, "source": "book/code", "topic_id": "t"}])
    (found,) = datasets(tmp_path, LIMITS)
    assert found.samples[0][0] == "x" * 15
    assert (found.is_excerpt, found.counts) == (False, ())


def test_counts_are_over_the_first_rows_and_say_so(tmp_path):
    write(tmp_path, "part-00000", [{"kind": "a"}] * 5 + [{"kind": "b"}] * 5)
    (found,) = datasets(tmp_path, Limits(1, 9, 9, 9, counted_rows=6))
    assert found.counted == 6
    assert found.counts[0].values == (("a", 5), ("b", 1))


def test_kept_examples_of_drops_are_not_counted_and_an_empty_table_has_no_rows(tmp_path):
    write(tmp_path, "dropped", [{"source": "a/b", "reason": "syntax"}])
    write(tmp_path, "removed", [{"id": "x"}])
    empty = pa.Table.from_pylist([], schema=pa.schema([("id", pa.string())]))
    write_table(tmp_path / "hits.parquet", empty)
    found = {one.name: one for one in datasets(tmp_path, LIMITS)}
    assert found["dropped"].counts == ()
    assert (found["hits"].rows, found["hits"].samples) == (0, ())


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "-"),
        (True, "true"),
        (3, "3"),
        (1234, "1,234"),
        (0.123456, "0.1235"),
        ("a\nb", "a\nb"),
    ],
)
def test_a_value_is_written_short(value, text):
    assert cell_text(value, 10) == text


def test_what_turns_or_hides_a_line_is_marked():
    assert shortened("a\u202eb\x00c", 10) == "a\N{REPLACEMENT CHARACTER}b\N{REPLACEMENT CHARACTER}c"


SAID = ItemTexts("micro_x", "micro_x/0", "What?", (" one.", " two."))


@pytest.mark.parametrize(
    ("detail", "said", "text"),
    [
        ("[[-2.5, false], [-1.5, false]]", SAID, "two."),
        ("[[-2.5, false], [-1.5, false]]", None, "choice 2"),
        ('["Paris"]', SAID, "Paris"),
        ("\n    return x + 1\n", SAID, "    return x + 1"),
        ("[[-2.5, false], [-1.", SAID, "[[-2.5, false], [-1."),
    ],
)
def test_an_answer_is_the_likeliest_choice_the_text_or_the_program(detail, said, text):
    assert answer_text(detail, said) == text


def scored(**items):
    return {("micro_a" if name[0] == "a" else "squad", name): {"metric": "acc", "score": score,
            "detail": name} for name, score in items.items()}  # fmt: skip


def test_flips_come_from_every_task_and_both_sides_in_turn():
    first = scored(a1=1.0, a2=1.0, a3=0.0, s1=1.0, s2=1.0)
    second = scored(a1=0.0, a2=0.0, a3=1.0, s1=0.0, s2=1.0)
    found = flips((first, second), {}, most=3, characters=9, excerpt_characters=9)
    assert [one.item for one in found] == ["a1", "a3", "s1"]
    every = flips((first, second), {}, most=9, characters=9, excerpt_characters=9)
    assert [one.item for one in every] == ["a1", "a2", "a3", "s1"]


def test_an_item_of_a_published_benchmark_is_a_short_excerpt():
    said = {name: ItemTexts("x", name, "a question of some length") for name in ("a1", "s1")}
    both = (scored(a1=1.0, s1=1.0), scored(a1=0.0, s1=0.0))
    found = flips(both, said, most=9, characters=99, excerpt_characters=4)
    assert [one.question for one in found] == [
        "a question of some length", "a qu\N{HORIZONTAL ELLIPSIS}"
    ]  # fmt: skip
