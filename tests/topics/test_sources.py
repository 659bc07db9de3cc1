"""Where topics come from, and how many of each domain."""

import pytest

from hornbook.errors import InputError
from hornbook.topics.sources import Topic, quotas, read_topics
from tests.conftest import ROOT


def test_quotas_add_up_and_follow_the_weights():
    assert quotas(10, {"a": 1.0, "b": 1.0, "c": 1.0}) == {"a": 4, "b": 3, "c": 3}
    assert sum(quotas(1000, {"a": 0.333, "b": 0.1}).values()) == 1000


def test_the_taxonomy_knows_every_domain_of_the_teacher():
    from hornbook.teacher.domains import WRITERS

    topics = read_topics(ROOT / "conf" / "topics" / "taxonomy.yaml").topics
    assert {topic.domain for topic in topics} == set(WRITERS)
    assert len(topics) == len(set(topics)) > 90


def test_a_file_of_ones_own_is_read_without_its_repeats(tmp_path):
    file = tmp_path / "topics.csv"
    file.write_text("domain,subject,topic\na,b,c\na,b,c\na,b,d\n")
    assert read_topics(file).topics == [Topic("a", "b", "c"), Topic("a", "b", "d")]


def test_a_file_without_a_column_or_of_another_kind_is_refused(tmp_path):
    file = tmp_path / "topics.csv"
    file.write_text("domain,topic\na,b\n")
    with pytest.raises(InputError, match=r"no column subject"):
        read_topics(file)
    with pytest.raises(InputError, match=r"expected one of \.csv, \.jsonl"):
        read_topics(tmp_path / "topics.txt")
