"""The other forms of the sample's pages, read as the stage reads them."""

from hornbook.compute import Place
from hornbook.sample.forms import EACH, forms
from hornbook.web.archives import Reading
from hornbook.web.config import Limits
from hornbook.web.extract import main_text
from hornbook.web.inputs import pages_of, web_files


def test_each_form_gives_all_its_pages_and_the_list_finds_its_data_set(tmp_path):
    for name, content in forms(0).items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(content)
    files = web_files(tmp_path, ["*"], "include")
    names = [
        "archive-2001.arc.gz",
        "fineweb-00000.parquet",
        "refinedweb/train-00000-of-00001.jsonl.gz",
    ]
    assert [file.name for file in files] == names
    place = Place(tmp_path, tmp_path / "report")
    for file in files:
        reading = Reading(Limits(page_bytes=1_000_000, expansion=200))
        found = list(pages_of(file, place.folder, reading))
        assert len(found) == EACH
        assert not reading.broken
        assert all(page.source.startswith("http://") for page in found)
        assert sum(len(main_text(page).split()) > 20 for page in found) > 0.9 * EACH


def test_the_same_seed_gives_the_same_bytes_and_another_one_others():
    assert forms(0) == forms(0)
    assert forms(0)["fineweb-00000.parquet"] != forms(1)["fineweb-00000.parquet"]
