"""Numbers that are nearly those of telephones cost no more than others of their length."""

import pytest

from hornbook.web.mask import NAMED_PHONE, PHONE, mask
from tests.cpu_time import growth, seconds

NEARLY = {
    " +" + "1" * 26 + "x": PHONE,
    " +1" + " 1" * 12 + "x": PHONE,
    " +1" + " 1234" * 6 + "x": PHONE,
    "tel " + "1" * 30 + "x ": NAMED_PHONE,
    "tel " + "12 " * 9 + "x ": NAMED_PHONE,
    "fax 123456.123456.123456.1x ": NAMED_PHONE,
}


@pytest.mark.parametrize("piece", NEARLY)
def test_time_grows_with_the_text(piece):
    assert growth(mask, piece) < 10


@pytest.mark.parametrize("piece", NEARLY)
def test_a_number_that_ends_wrong_is_given_up_at_once(piece):
    text = piece * (100_000 // len(piece))
    begins_none = text.replace("+", "=").replace("tel", "let").replace("fax", "xaf")
    search = NEARLY[piece].findall
    assert seconds(search, text) < 50 * seconds(search, begins_none)


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("+12345678", "<phone>"),
        ("+1234 56 78", "<phone>"),
        ("+123 4567 8901 x/y", "<phone> x/y"),
        ("tel 1234567", "tel <phone>"),
        ("tel 12345678901", "tel <phone>"),
        ("tel 123456 123456", "tel <phone>"),
        ("tel (20255) 501231", "tel <phone>"),
        ("tel 1234567 8 9", "tel <phone> 8 9"),
    ],
)
def test_numbers_of_any_length_are_divided_as_they_fit(text, masked):
    assert mask(text)[0] == masked
