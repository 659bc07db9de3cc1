"""What `hornbook diff` shows: in a terminal, for a program, and as a page."""

import json
import re
from html.parser import HTMLParser

import pytest

from hornbook.diff.command import main


@pytest.fixture
def changed(ran, monkeypatch):
    """The toy graph with another value in the work tree, as the working directory."""
    ran.edit("params.yaml", "left:\n  level: 1", "left:\n  level: 2")
    ran.edit("tool.py", "import yaml", "import yaml  # <b> & more")
    ran.dvc("repro", "-q")
    monkeypatch.chdir(ran.root)
    return ran


class Page(HTMLParser):
    """A page as a reader of it needs it: elements, ids, links, texts."""

    VOID = frozenset({"meta", "link", "br", "img", "hr", "rect", "path"})

    def __init__(self, text):
        super().__init__()
        self.open, self.names, self.ids, self.links, self.texts = [], [], [], [], []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        values = dict(attrs)
        self.names.append(tag)
        self.ids += [values["id"]] if "id" in values else []
        self.links += [values["href"]] if "href" in values else []
        assert not {"src", "srcset"} & set(values), "it needs nothing else"
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        if tag not in self.VOID:
            assert self.open.pop() == tag

    def handle_data(self, data):
        self.texts.append(data)


def test_causes_come_before_what_followed(changed, capsys):
    assert main(["HEAD", "workspace"]) == 0
    told = capsys.readouterr().out
    heads = ["First causes", "parameter left.level: 1 -> 2", "changed base"]
    assert [told.index(head) for head in heads] == sorted(told.index(head) for head in heads)
    assert "input tool.py:" in told
    assert told.rstrip().endswith("--contents compares what is in the artifacts: rows, shares, "
                                  "weights, answers")  # fmt: skip


def test_no_difference_points_to_what_has_not_run(ran, monkeypatch, capsys):
    monkeypatch.chdir(ran.root)
    assert main(["HEAD", "workspace"]) == 0
    told = capsys.readouterr().out
    assert "no difference in what was recorded" in told
    assert "hornbook status" in told


def test_a_program_gets_everything(changed, capsys):
    assert main(["HEAD", "workspace", "--contents", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["after"] == {"name": "workspace", "revision": None}
    cause = next(one for one in found["causes"] if one["what"] == "left.level")
    assert (cause["before"], cause["after"], cause["changed"]) == ("1", "2", ["base"])
    assert [one["stage"] for one in found["stages"]] == ["base", "branch@one", "branch@two", "end"]
    assert found["contents"][0]["said"] == ['value.txt, line 1: "base 1" -> "base 2"']


def test_the_page_is_whole_and_needs_nothing_else(changed, tmp_path, capsys):
    file = tmp_path / "a page.html"
    assert main(["HEAD", "workspace", "--contents", "--html", str(file)]) == 0
    assert f"{file} has all of it as a page" in capsys.readouterr().out
    text = file.read_text("utf-8")
    page = Page(text)
    assert page.open == []
    assert {"h1", "h2", "th", "caption", "svg", "title", "main", "nav"} <= set(page.names)
    assert len(page.ids) == len(set(page.ids))
    links = [link for link in page.links if link != "data:,"]  # no icon is asked for
    assert {link[1:] for link in links} <= set(page.ids)
    assert all(link.startswith("#") for link in links)
    assert not re.search(r"https?://|url\(|@import", text)
    assert "prefers-color-scheme: dark" in text
    assert "width=device-width" in text
    words = " ".join("".join(page.texts).split())
    assert "parameter left.level" in words
    assert 'value.txt, line 1: "base 1" -> "base 2"' in words
    assert words.count("first cause") >= 4  # in words too, not by colour alone


def test_the_same_differences_are_the_same_page(changed, tmp_path):
    for name in ("one", "two"):
        assert main(["HEAD", "workspace", "--contents", "--html", str(tmp_path / name)]) == 0
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()


def test_help_has_examples(capsys):
    with pytest.raises(SystemExit):
        main(["--help"])
    told = capsys.readouterr().out
    assert "hornbook diff HEAD strict-web --contents" in told
