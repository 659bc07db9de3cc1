"""Rows of a dump, cut out of its bytes; the XML parser of the library is the reference."""

import gzip
import io
import random
from xml.etree import ElementTree
from xml.sax.saxutils import quoteattr

import pytest

from hornbook.code import posts
from hornbook.code.posts import Piece, licence_of, post_of, rows

TEXTS = [
    "plain",
    "a < b & c",
    "\"quoted\" 'both'",
    "line\none",
    "tab\tä漢😀",
    "&lt;p&gt;",
    "&amp;lt;",
    "&#38;",
    "",
]


def dump(count, seed=0):
    rng = random.Random(seed)
    lines = []
    for n in range(count):
        fields = {
            "Id": str(n + 1),
            "PostTypeId": "1",
            "Body": "".join(rng.choices(TEXTS, k=rng.randint(0, 30))),
        }
        entities = {"\n": "&#xA;", "\t": "&#9;"}
        lines.append(
            "  <row " + " ".join(f"{k}={quoteattr(v, entities)}" for k, v in fields.items()) + " />"
        )
    return ('<?xml version="1.0"?>\n<posts>\n' + "\n".join(lines) + "\n</posts>").encode()


def found(data, start=0, end=None, limit=1 << 20):
    file = io.BytesIO(data)
    file.seek(start)
    return list(rows(file, end=None if end is None else end - start, max_row_bytes=limit))


def test_rows_are_what_an_xml_parser_reads():
    data = dump(300)
    expected = [dict(row.attrib) for row in ElementTree.fromstring(data)]
    assert [piece.row for piece in found(data)] == expected


@pytest.mark.parametrize("block", [1, 7, 64, 1000])
def test_the_size_of_the_blocks_does_not_matter(monkeypatch, block):
    data = dump(20)
    expected = found(data)
    monkeypatch.setattr(posts, "BLOCK", block)
    assert found(data) == expected


def test_a_file_may_be_cut_anywhere_and_each_row_comes_once():
    data = dump(12)
    whole = [piece.row for piece in found(data)]
    for cut in range(0, len(data), 3):
        parts = found(data, 0, cut) + found(data, cut, len(data))
        assert [piece.row for piece in parts] == whole, cut


@pytest.mark.parametrize(
    "row",
    [
        '<row Id="1" Body="&nbsp;" />',
        '<row Id="1" Body="&#0;" />',
        '<row Id="1" Body="&#xD800;" />',
        '<row Id="1" Body="&#x999999;" />',
        '<row Id="1" Body="a & b" />',
        '<row Id="1" Id="2" />',
        '<row Id="1" Body="never ends',
        "<row Id=1 />",
        '<row Id="1" / >',
        '<row Id="1" Body="\x01" />',
    ],
)
def test_a_damaged_row_is_one_damaged_row(row):
    data = f'<posts><row Id="7" />\n{row}\n<row Id="8" /></posts>'.encode()
    assert [piece.row for piece in found(data)] == [{"Id": "7"}, None, {"Id": "8"}]


def test_bytes_that_are_no_utf_8_damage_their_row():
    data = b'<posts><row Id="1" Body="\xff" /><row Id="2" /></posts>'
    assert [piece.row for piece in found(data)] == [None, {"Id": "2"}]


def test_a_row_without_end_is_given_up_at_the_limit():
    data = b'<posts><row Id="1" Body="' + b"a" * 5_000_000 + b'<row Id="2" />'
    pieces = found(data, limit=1000)
    assert pieces[-1] == Piece({"Id": "2"}, 14)
    assert {piece.row is None for piece in pieces[:-1]} == {True}
    assert len(pieces) == 2
    exact = b'<row Id="%s" />' % (b"a" * 80)
    inside = len(exact) - len(b"<row")
    assert found(exact, limit=inside)[0].row is not None
    assert found(exact, limit=inside - 1)[0].row is None


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("mark", ["<!DOCTYPE posts [", "<!doctype posts>", "<!ENTITY a 'b'>"])
def test_declarations_are_seen_before_the_first_row(tmp_path, packed, mark):
    text = f'<?xml version="1.0"?>\n{mark}\n<posts><row Id="1" /></posts>'.encode()
    file = tmp_path / ("Posts.xml.gz" if packed else "Posts.xml")
    file.write_bytes(gzip.compress(text) if packed else text)
    assert posts.has_declarations(file)
    file.write_bytes(gzip.compress(dump(3)) if packed else dump(3))
    assert not posts.has_declarations(file)


QUESTION = {"Id": "5", "PostTypeId": "1", "Score": "3", "Title": "T", "Body": "<p>B</p>"}


@pytest.mark.parametrize(
    ("tags", "expected"),
    [
        ("<python><list>", ("python", "list")),
        ("|python|list|", ("python", "list")),
        (["python", "python-3.x"], ("python", "python-3.x")),
        (None, ()),
    ],
)
def test_tags_come_in_three_forms(tags, expected):
    post = post_of(QUESTION | {"Tags": tags})
    assert post is not None
    assert post.tags == expected


@pytest.mark.parametrize(
    "change",
    [
        {"Id": "x"}, {"Id": "-1"}, {"Id": None}, {"Score": "many"}, {"ParentId": "4"},
        {"PostTypeId": "2"}, {"PostTypeId": ""}, {"Id": "9" * 30}, {"AcceptedAnswerId": "-2"},
    ],
)  # fmt: skip
def test_a_row_that_is_no_post_is_damaged(change):
    with pytest.raises((ValueError, TypeError)):
        post_of(QUESTION | change)


def test_wikis_and_the_like_are_neither():
    assert post_of(QUESTION | {"PostTypeId": "5"}) is None


@pytest.mark.parametrize(
    ("stated", "created", "expected"),
    [
        ("CC BY-SA 3.0", "2020-01-01", "CC-BY-SA-3.0"),
        ("", "2011-04-07T23:59:59.999", "CC-BY-SA-2.5"),
        ("", "2011-04-08T00:00:00.000", "CC-BY-SA-3.0"),
        ("", "2018-05-01T23:59:59.999", "CC-BY-SA-3.0"),
        ("", "2018-05-02T00:00:00.000", "CC-BY-SA-4.0"),
        ("CC BY-NC 4.0", "2020-01-01", "CC-BY-NC-4.0"),
        ("all mine", "2020-01-01", ""),
    ],
)
def test_the_licence_is_stated_or_follows_from_the_day(stated, created, expected):
    assert licence_of(stated, created) == expected
