"""Questions meet their answers, however far apart these stand."""

import gzip
import random
from dataclasses import replace
from xml.sax.saxutils import quoteattr

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from hornbook.artifacts import read_documents, read_json
from hornbook.code.corpus import code_corpus
from tests.code.rules import RULES
from tests.made_run import conf, file_bytes, made_run

LONG = "<p>" + "word " * 40 + "</p>"


def question(number, **more):
    return {
        "Id": number,
        "PostTypeId": 1,
        "Score": 5,
        "Tags": "<python>",
        "Title": f"Title {number}",
        "Body": LONG,
        "CreationDate": "2020-01-01",
    } | more


def answer(number, parent, score=5, text=""):
    return {
        "Id": number,
        "PostTypeId": 2,
        "ParentId": parent,
        "Score": score,
        "Body": f"<p>Answer {number} {text}</p>",
        "CreationDate": "2020-01-01",
    }


def xml(rows):
    lines = [
        "  <row " + " ".join(f"{k}={quoteattr(str(v))}" for k, v in row.items()) + " />"
        for row in rows
    ]
    return ("<posts>\n" + "\n".join(lines) + "\n</posts>\n").encode()


def taken(root, *, settings=None, **files):
    """The documents of dumps given by folder, the drops, and the bytes of the artifact."""
    for folder, content in files.items():
        place = root / "in" / folder
        place.mkdir(parents=True)
        if isinstance(content, bytes):
            (place / "Posts.xml").write_bytes(content)
        else:
            (place / content[0]).write_bytes(content[1])
    code = conf("code", "laptop")
    code["corpus"]["expectations"] = []
    for key, value in (settings or {}).items():
        (code["corpus"]["questions"] if key in code["corpus"]["questions"] else code["corpus"])[
            key
        ] = value
    run = made_run(root, "code_corpus", reads=["in"], params={"code": code, "data": {"code": "in"}})
    code_corpus(run)
    documents = {row["source"]: row for row in read_documents(run.out)}
    return documents, read_json(run.out / "summary.json")["dropped"], file_bytes(run.out)


def shown(documents):
    return {
        name: row["text"].split("## Answer\n\n")[1].split()[1] for name, row in documents.items()
    }


def many(count, seed=0):
    """Questions with three answers each, all shuffled."""
    rng = random.Random(seed)
    rows = [question(n) for n in range(1, count + 1)]
    rows += [answer(1000 * n + k, n, score=3 + k) for n in range(1, count + 1) for k in range(3)]
    rng.shuffle(rows)
    return rows


def test_answers_are_chosen_by_acceptance_score_and_age(tmp_path):
    rows = [
        question(1, AcceptedAnswerId=11),
        answer(10, 1, 90),
        answer(11, 1, 3),
        question(2),
        answer(20, 2, 3),
        answer(21, 2, 9),
        answer(22, 2, 8),
        question(3),
        answer(31, 3, 4),
        answer(30, 3, 4),
        question(4, AcceptedAnswerId=40),
        answer(40, 4, 1),
        answer(41, 4, 2),
    ]
    documents, dropped, _ = taken(tmp_path, site=xml(rows))
    expected = {"1": "11", "2": "21", "3": "30", "4": "41"}  # 40 is below the least score
    assert shown(documents) == {f"site/questions/{q}": a for q, a in expected.items()}
    assert dropped == {}


def test_parts_and_packing_change_no_document(tmp_path):
    data = xml(many(60))
    whole, _, _ = taken(tmp_path / "whole", site=data)
    small = {"shard_bytes": 5000}
    parts, _, files = taken(tmp_path / "parts", settings=small, site=data)
    packed, _, _ = taken(tmp_path / "packed", site=("Posts.xml.gz", gzip.compress(data)))
    assert len(whole) == 60
    assert whole == parts == packed
    assert list(whole) == [f"site/questions/{n}" for n in range(1, 61)]
    assert len([name for name in files if name.startswith("part-")]) > 3


@pytest.mark.parametrize("names", ["as is", "snake"])
def test_the_parquet_form_is_the_same(tmp_path, names):
    rows = many(20)
    columns = sorted({key for row in rows for key in row})
    full = [{key: row.get(key) for key in columns} for row in rows]
    for row in full:
        row["Tags"] = ["python"] if row["Tags"] else None
    table = pa.Table.from_pylist(full)
    if names == "snake":
        table = table.rename_columns(
            ["".join(f"_{c.lower()}" if c.isupper() else c for c in n).strip("_") for n in columns]
        )
    place = tmp_path / "table" / "in" / "site"
    place.mkdir(parents=True)
    half = table.num_rows // 2  # questions and answers meet across the files of a site
    pq.write_table(table.slice(0, half), place / "posts-0.parquet", row_group_size=7)
    pq.write_table(table.slice(half), place / "posts-1.parquet", row_group_size=7)
    found, _, _ = taken(tmp_path / "table", settings={"shard_bytes": 300})
    assert {name: row["text"] for name, row in found.items()} == {
        name: row["text"] for name, row in taken(tmp_path / "xml", site=xml(rows))[0].items()
    }


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"Score": 0}, "low_score"),
        ({"Score": 1}, None),
        ({"Tags": "<css>"}, "off_topic"),
        ({"Tags": "<css><python-3.x>"}, None),
        ({"ClosedDate": "2020-01-02"}, "closed"),
        ({"ContentLicense": "CC BY-NC 4.0"}, "licence"),
        ({"ContentLicense": "all mine"}, "no_licence"),
        ({"Body": ""}, "empty_page"),
        ({"Body": "<p>x</p>"}, "too_short"),
        ({"Body": "<p>" + "word " * 5000 + "</p>"}, "too_long"),
        ({"Id": 777}, "no_answer"),
    ],
)
def test_a_question_that_is_not_taken_is_counted(tmp_path, change, reason):
    rows = [question(1), answer(10, 1), question(2) | change, answer(20, 2)]
    documents, dropped, _ = taken(tmp_path, site=xml(rows))
    assert len(documents) == (2 if reason is None else 1)
    assert dropped == ({} if reason is None else {reason: 1})


@pytest.mark.parametrize(("score", "count"), [(1, 0), (2, 1)])
def test_an_answer_needs_its_least_score(tmp_path, score, count):
    rows = [question(1), answer(10, 1), question(2), answer(20, 2, score)]
    _, dropped, _ = taken(tmp_path, site=xml(rows))
    assert dropped == ({} if count else {"no_answer": 1})
    assert RULES.questions.min_answer_score == 2


def test_the_words_of_both_count_together(tmp_path):
    rows = [question(1), answer(10, 1)]
    words = len(next(iter(taken(tmp_path / "a", site=xml(rows))[0].values()))["text"].split())
    taken(tmp_path / "b", settings={"min_words": words}, site=xml(rows))
    other = [question(2, Body=LONG * 2), answer(20, 2)]
    _, dropped, _ = taken(tmp_path / "c", settings={"min_words": words + 1}, site=xml(rows + other))
    assert dropped == {"too_short": 1}


def test_equal_numbers_of_two_sites_do_not_meet(tmp_path):
    one = xml([question(1), answer(10, 1, text="one")])
    two = xml([question(1, Title="Other"), answer(10, 1, text="two")])
    documents, _, _ = taken(tmp_path, one=one, two=two)
    assert "Answer 10 one" in documents["one/questions/1"]["text"]
    assert "Answer 10 two" in documents["two/questions/1"]["text"]


def test_a_pair_under_two_licences_has_both(tmp_path):
    rows = [question(1, CreationDate="2012-01-01"), answer(10, 1)]
    documents, _, _ = taken(tmp_path, site=xml(rows))
    assert documents["site/questions/1"]["licence"] == "CC-BY-SA-3.0 AND CC-BY-SA-4.0"


def test_bombs_and_breaks_cost_their_file_only(tmp_path):
    good = xml([question(1), answer(10, 1)])
    bomb = b'<!DOCTYPE x [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]>' + xml([question(1, Body="&b;")])
    packed = gzip.compress(xml(many(500)))
    documents, dropped, _ = taken(
        tmp_path, bomb=bomb, broken=("Posts.xml.gz", packed[: len(packed) - 30]), good=good
    )
    assert "good/questions/1" in documents
    assert dropped["declarations"] == 1
    assert dropped["damaged_file"] == 1


def test_the_document_is_title_question_answer(tmp_path):
    documents, _, _ = taken(
        tmp_path, site=xml([question(1, Title="A  b"), answer(10, 1, text="<code>x</code>")])
    )
    words = ("word " * 40).strip()
    assert (
        documents["site/questions/1"]["text"] == f"# A b\n\n{words}\n\n## Answer\n\nAnswer 10 `x`\n"
    )
    assert documents["site/questions/1"]["kind"] == "question"
    assert replace(RULES.questions, tags=[]).tags == []


def bad_bodies():
    """Bodies of a question, of one that is no UTF-8, and of an answer."""
    good, answer_body = LONG.encode(), b"<p>Answer 10 here</p>"
    ends = (0, len(good), len(good) + 4, len(good) + 4 + len(answer_body))
    buffers = [b"".join(n.to_bytes(4, "little") for n in ends), good + b"\xff" * 4 + answer_body]
    return pa.Array.from_buffers(pa.string(), 3, [None, *map(pa.py_buffer, buffers)])


@pytest.mark.parametrize(
    ("column", "values"),
    [
        ("Body", bad_bodies()),
        ("Score", pa.array([5.0, float("inf"), 5.0])),
        ("CreationDate", pa.array([18262, 2**31 - 1, 18262], pa.int32()).cast(pa.date32())),
    ],
)
def test_a_post_with_a_cell_that_cannot_be_read_costs_itself_only(tmp_path, column, values):
    rows = [question(1), question(2), answer(10, 1)]
    table = pa.Table.from_pylist([{"ParentId": None, "Tags": None} | row for row in rows])
    table = table.set_column(table.schema.get_field_index(column), column, values)
    place = tmp_path / "in" / "site"
    place.mkdir(parents=True)
    pq.write_table(table, place / "posts.parquet")
    documents, dropped, _ = taken(tmp_path)
    assert (shown(documents), dropped) == ({"site/questions/1": "10"}, {"damaged_row": 1})
