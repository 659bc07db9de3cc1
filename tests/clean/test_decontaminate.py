"""No copy of a benchmark item stays in a corpus; what is only reported is counted."""

import os
import random
import signal
import time
from multiprocessing import get_context

import pytest
from pydantic import TypeAdapter, ValidationError

from hornbook.artifacts import read_documents, read_json, read_table, write_documents
from hornbook.clean import decontaminate as module
from hornbook.clean.benchmark import is_telling
from hornbook.clean.config import Clean, Decontaminate
from hornbook.clean.search import Search, load, plain, save
from hornbook.clean.words import words
from hornbook.errors import ExpectationError, InputError
from hornbook.evaluate.texts import ItemTexts
from tests.made_run import conf, file_bytes, made_run

SETTINGS = TypeAdapter(Clean).validate_python(conf("clean")).decontaminate
LONG = (
    "Janet's ducks lay sixteen eggs per day. She eats three for breakfast every morning and "
    "bakes muffins for her friends."
)
REWRITTEN = (
    "Janet's ducks lay ten eggs a day. She eats three for breakfast then and goes for her friends."
)
SHORT = "Which planet of the sun has the largest moon?"  # nine words
PHRASE = "What is a proper noun?"
MICRO = "Tom drops a glass on the stone floor and so the glass will surely break at once"


def item(text, name="b", number=0, **more):
    return ItemTexts(name, f"{name}/{number}", text, **more)


def kinds(items, text, settings=SETTINGS):
    search = Search.of(items, settings)
    (found,) = search([text])
    return {search.index.items[hit.item].item_id: hit.kind for hit in found.hits}


ITEMS = [item(LONG, "gsm8k"), item(SHORT, "arc", 1), item(PHRASE, "arc", 2)]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (f"Before it. {LONG} And after.", {"gsm8k/0": "long"}),
        (LONG.replace(" ", "\n").upper().replace(".", " --"), {"gsm8k/0": "long"}),
        (LONG.replace("breakfast", "break-\nfast").replace("'", "\u2019"), {"gsm8k/0": "long"}),
        (f"x {' '.join(words(LONG)[4:17])} y", {"gsm8k/0": "long"}),
        (f"x {' '.join(words(LONG)[4:16])} y", {}),
        (LONG.replace("sixteen", "ten").replace("every", "each"), {"gsm8k/0": "edited"}),
        (REWRITTEN, {}),
        (f"So {SHORT} Titan.", {"arc/1": "share"}),
        (SHORT.replace("the sun", "our bright sun"), {"arc/1": "edited"}),
        (SHORT.replace("planet of the sun", "country"), {}),
        (f"Now: {PHRASE}", {"arc/2": "short"}),
        (PHRASE.replace("proper", "common"), {}),
    ],
    ids=[
        "inside", "broken", "hyphen", "13 words", "12 words", "edited", "edited too much",
        "nine words", "nine edited", "nine other", "short", "short edited",
    ],
)  # fmt: skip
def test_what_overlaps(text, found):
    assert kinds(ITEMS, text) == found


def test_a_run_over_the_border_of_two_documents_is_none():
    listed = words(LONG)
    search = Search.of([item(LONG)], SETTINGS)
    texts = [" ".join(listed[:9]), " ".join(listed[9:18]), LONG]
    found = search(texts)
    assert [bool(one.hits) for one in found] == [False, False, True]
    assert [len(one.touched) for one in found] == [2, 2, len(listed) - 7]


@pytest.mark.parametrize(("items", "is_counted"), [(10, True), (11, False)])
def test_a_phrase_of_many_items_is_none_of_theirs(items, is_counted):
    frame = "Which one of the following statements is right about the subject in question, namely"
    asked = [item(f"{frame} name{n}y?", number=n) for n in range(items)]
    assert bool(kinds(asked, f"Say: {frame} nothing.")) is is_counted


def test_rows_of_numbers_are_no_overlap():
    numbers = " ".join(map(str, range(1, 30)))
    assert kinds([item(f"Which of these numbers are odd: {numbers}?")], f"see {numbers}") == {}
    assert [is_telling(word) for word in ("7", "a", "x2", "ab", "don")] == [
        False, False, False, True, True]  # fmt: skip


def test_short_answers_are_no_overlap_by_themselves_when_a_word_differs():
    answer = "since the end of the second world war"
    asked = item("When did it start, and who was there at that time?", choices=(answer,))
    assert kinds([asked], f"All of it {answer}.") == {"b/0": "share"}
    assert kinds([asked], "All of it since the end of the first world war.") == {}


def test_what_is_too_short_is_joined_with_its_answers():
    asked = item("Predators eat", choices=("small animals that live in the woods",))
    assert kinds([asked], "Predators eat small animals that live in the woods.") != {}
    assert kinds([asked], "They eat small animals that live in the forest.") == {}


# every 8-gram and 13-gram by plain sets of words, item by item
@pytest.mark.parametrize("seed", range(3))
def test_ngrams_are_those_of_plain_sets(seed):
    draw = random.Random(seed)
    bank = [f"word{n}x" for n in range(40)]
    asked = [item(" ".join(draw.choices(bank, k=draw.randrange(8, 40))), number=n)
             for n in range(30)]  # fmt: skip
    texts = []
    for _ in range(40):
        pieces = draw.choices(bank, k=draw.randrange(60))
        source = words(draw.choice(asked).question)
        start = draw.randrange(len(source))
        pieces[len(pieces) // 2 : len(pieces) // 2] = source[start : start + draw.randrange(20)]
        texts.append(" ".join(pieces))
    search = Search.of(asked, SETTINGS)
    numbers = {one.item_id: n for n, one in enumerate(search.index.items)}
    for text, found in zip(texts, search(texts), strict=True):
        listed = words(text)
        eights = {tuple(listed[p : p + 8]) for p in range(len(listed) - 7)}
        longer = {tuple(listed[p : p + 13]) for p in range(len(listed) - 12)}
        touched, long = set(), set()
        for one in asked:
            own = words(one.question)
            touched |= {(numbers[one.item_id], p) for p in range(len(own) - 7)
                        if tuple(own[p : p + 8]) in eights}  # fmt: skip
            if any(tuple(own[p : p + 13]) in longer for p in range(len(own) - 12)):
                long.add(numbers[one.item_id])
        assert set(found.touched) == touched
        assert {hit.item for hit in found.hits if hit.kind == "long"} == long


def test_an_edited_copy_of_eight_words_is_found_wherever_its_word_was_changed():
    asked = "Which river carries most water into the northern sea"
    listed = words(asked)
    for place in range(len(listed)):
        for changed in (["other"], [], [listed[place], "other"]):
            text = " ".join([*listed[:place], *changed, *listed[place + 1 :]])
            assert kinds([item(asked)], f"He said {text} yes."), text


def test_words_broken_or_joined_by_layout_are_whole():
    assert plain("infor-\n  mation and 3-\n4") == "information and 3-\n4"
    assert plain("co\u00adop \ufb01nd a\u200bb") == "coop find ab"
    for hyphen in ("-", "\u2010", "\u00ad"):
        for end in ("\n", "\r\n", "\n \t"):
            assert plain(f"in{hyphen}{end}formation") == "information"
            assert end in plain(f"3{hyphen}{end}formation")


def test_a_saved_index_finds_the_same(tmp_path):
    asked = [*ITEMS, item("Add them.", number=5, program="def f(a, b):\n    return a + b\n")]
    search = Search.of(asked, SETTINGS)
    save(search, tmp_path)
    texts = [LONG, SHORT, PHRASE, "nothing of it", "", SHORT.replace("the sun", "our sun")]
    assert load(tmp_path)(texts) == search(texts)
    assert load(tmp_path).settings == SETTINGS


def test_batches_change_nothing(monkeypatch):
    texts = ["filler text " * 20 + LONG, SHORT, "", PHRASE, LONG] * 3
    whole = Search.of(ITEMS, SETTINGS)(texts)
    monkeypatch.setattr("hornbook.clean.search.BATCH_CHARACTERS", 200)
    assert Search.of(ITEMS, SETTINGS)(texts) == whole


def prepare(root, items, texts, monkeypatch, workers=1, shard_rows=2, **changes):
    (root / "data/benchmarks").mkdir(parents=True)
    rows = [{"id": f"d{n}", "text": t, "source": "s", "x": n} for n, t in enumerate(texts)]
    write_documents(root / "artifacts/clean/dedup/books", rows, shard_rows=shard_rows)
    monkeypatch.setattr(module, "benchmark_items", lambda _: iter(items))
    values = conf("clean")
    values["decontaminate"]["recall"] |= {"items": 3, "controls": 20}
    values["decontaminate"] |= changes
    return made_run(
        root,
        "decontaminate@books",
        reads=["artifacts/clean/dedup/books", "data/benchmarks"],
        params={"clean": values, "data": {"benchmarks": "data/benchmarks"}},
        workers=workers,
    )


@pytest.fixture
def made(monkeypatch):
    def make(root, items, texts, **more):
        run = prepare(root, items, texts, monkeypatch, **more)
        module.decontaminate(run)
        return run.out

    return make


STAGE_ITEMS = [item(LONG, "gsm8k", 7), item(SHORT, "arc", 1), item(MICRO, "micro_x")]
TEXTS = ["clean text", f"a {LONG} b", MICRO, "more clean text", SHORT]


def test_the_stage_removes_reports_and_counts(made, tmp_path):
    out = made(tmp_path / "a", STAGE_ITEMS, TEXTS)
    kept = list(read_documents(out))
    assert [row["id"] for row in kept] == ["d0", "d2", "d3"]
    assert kept[1] == {"id": "d2", "text": MICRO, "source": "s", "x": 2}
    removed = read_table(out / "removed.parquet").to_pylist()
    assert [(r["id"], r["benchmark"], r["item_id"], r["kind"]) for r in removed] == [
        ("d1", "gsm8k", "gsm8k/7", "long"),
        ("d4", "arc", "arc/1", "share"),
    ]
    assert removed[0]["excerpt"] == " ".join(words(LONG))
    hits = read_table(out / "hits.parquet").to_pylist()
    assert [(row["id"], row["action"]) for row in hits] == [
        ("d1", "removed"), ("d2", "reported"), ("d4", "removed")]  # fmt: skip
    rows = read_table(out / "overlap.parquet").to_pylist()
    assert [(r["item_id"], r["overlapping"], r["ngrams"]) for r in rows] == [
        ("arc/1", 0, 2),
        ("gsm8k/7", 0, len(words(LONG)) - 7),
        ("micro_x/0", 10, 10),
    ]
    summary = read_json(out / "summary.json")
    assert summary["dropped"] == {"arc": 1, "gsm8k": 1}
    assert summary["overlap"]["micro_x"] == {"items": 1, "checked": 1, "overlapping": 1}
    assert file_bytes(out) == file_bytes(made(tmp_path / "b", STAGE_ITEMS, TEXTS, workers=3))


def test_items_that_ask_nothing_are_refused(tmp_path, monkeypatch):
    run = prepare(tmp_path, STAGE_ITEMS, TEXTS, monkeypatch)
    micro = tmp_path / "data" / "benchmarks" / "micro"
    micro.mkdir(parents=True)
    (micro / "rivers.jsonl").write_text('{"prompt": "x"}\n{"id": "b", "question": "Which one?"}\n')
    told = r"rivers\.jsonl: item 2 has no text in `prompt` or `context`, only id, question"
    with pytest.raises(InputError, match=told):
        module.decontaminate(run)


def test_one_part_becomes_one_part_also_when_nothing_is_left_of_it(made, tmp_path):
    out = made(tmp_path, STAGE_ITEMS, [LONG, SHORT, "text", "text"])
    parts = sorted(out.glob("part-*.parquet"))
    assert [read_table(part).num_rows for part in parts] == [0, 2]
    assert read_table(parts[0]).schema == read_table(parts[1]).schema


def test_flagged_documents_stay_with_what_they_hold(made, tmp_path):
    out = made(tmp_path, STAGE_ITEMS, TEXTS, action="flag")
    assert len(list(read_documents(out))) == len(TEXTS)
    hits = read_table(out / "hits.parquet").to_pylist()
    assert [(row["id"], row["action"]) for row in hits] == [
        ("d1", "flagged"), ("d2", "reported"), ("d4", "flagged")]  # fmt: skip
    rows = read_table(out / "overlap.parquet").to_pylist()
    assert all(row["overlapping"] == row["ngrams"] for row in rows)
    assert read_json(out / "summary.json")["flagged"] == 2


def test_a_copy_that_shares_no_ngram_is_counted_as_overlap(made, tmp_path):
    text = SHORT.replace("of the sun", "of our sun")
    out = made(tmp_path, [item(SHORT, "micro_x")], [text])
    (row,) = read_table(out / "overlap.parquet").to_pylist()
    assert (row["overlapping"], row["copied"]) == (0, True)
    assert read_json(out / "summary.json")["overlap"]["micro_x"]["overlapping"] == 1


@pytest.mark.parametrize(("action", "left"), [("report", 1), ("remove", 0)])
def test_short_items_are_reported_unless_conf_says_remove(made, tmp_path, action, left):
    short = {"least_words": 4, "action": action}
    out = made(tmp_path, [item(PHRASE, "arc")], ["text", f"So {PHRASE}"], short=short)
    assert len(list(read_documents(out))) == 1 + left
    (row,) = read_table(out / "overlap.parquet").to_pylist()
    assert (row["short"], row["ngrams"], row["overlapping"]) == (True, 1, left)


def test_a_killed_stage_finds_its_finished_parts_again(tmp_path, monkeypatch):
    texts = [*TEXTS, "even more text"]
    run = prepare(tmp_path / "a", STAGE_ITEMS, texts, monkeypatch)
    context = get_context("fork")
    process = context.Process(target=_killed_at_the_second_part, args=(run,))
    process.start()
    process.join(60)
    assert process.exitcode == -signal.SIGKILL
    finished = sorted(run.pending.glob("looking_for_benchmark_items/part-*/facts.json"))
    assert len(finished) == 1
    before = finished[0].stat().st_mtime_ns
    time.sleep(0.01)
    module.decontaminate(run)
    assert finished[0].stat().st_mtime_ns == before
    whole = prepare(tmp_path / "b", STAGE_ITEMS, texts, monkeypatch)
    module.decontaminate(whole)
    assert file_bytes(run.out) == file_bytes(whole.out)


def _killed_at_the_second_part(run):
    original = module.clean_shard

    def deadly(file, place, **more):
        if file.endswith("00001.parquet"):
            os.kill(os.getpid(), signal.SIGKILL)
        return original(file, place, **more)

    module.clean_shard = deadly
    module.decontaminate(run)


def test_the_stage_stops_when_planted_copies_are_missed(made, tmp_path):
    edited = conf("clean")["decontaminate"]["edited"] | {"share": 1.0, "weighted_share": 1.0}
    with pytest.raises(ExpectationError, match=r"recall.*edited"):
        made(tmp_path, STAGE_ITEMS, TEXTS, edited=edited)


def test_no_benchmark_is_refused(made, tmp_path):
    with pytest.raises(InputError, match=r"data\.benchmarks=.* has no benchmark item"):
        made(tmp_path, [], ["text"])


@pytest.mark.parametrize(
    ("change", "match"),
    [
        ({"long_words": 7}, r"ngram_words=8, long_words=7"),
        ({"short": {"least_words": 9, "action": "report"}}, r"short\.least_words=9"),
        ({"short": {"least_words": 3, "action": "report"}}, r"edited\.seed_words=4"),
        ({"action": "drop"}, "action"),
    ],
)
def test_impossible_lengths_are_refused(change, match):
    values = conf("clean")["decontaminate"] | change
    with pytest.raises(ValidationError, match=match):
        TypeAdapter(Decontaminate).validate_python(values)
