"""Licences: what people write, as SPDX; what an expression allows; what a file says itself."""

import pytest

from hornbook.code.licences import (
    COPYLEFT,
    LONGEST_HEAD,
    UNKNOWN,
    both,
    is_allowed,
    of_header,
    of_list,
    spdx,
)
from tests.cpu_time import growth


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("MIT License", "MIT"),
        ("mit", "MIT"),
        ("The MIT License (MIT)", "MIT"),
        ("Apache 2.0", "Apache-2.0"),
        ("Apache License, Version 2.0", "Apache-2.0"),
        ("License :: OSI Approved :: Apache Software License", "Apache-2.0"),
        ("License :: OSI Approved :: ISC License (ISCL)", "ISC"),
        ("License :: Public Domain", "LicenseRef-public-domain"),
        ("3-Clause BSD License", "BSD-3-Clause"),
        ("BSD", "BSD-2-Clause AND BSD-3-Clause"),
        ("GPLv3+", "GPL-3.0-or-later"),
        ("gpl-2.0+", "GPL-2.0-or-later"),
        ("mit or apache-2.0", "MIT OR Apache-2.0"),
        ("( MIT OR ISC ) and zlib", "(MIT OR ISC) AND Zlib"),
        ("apache-2.0 with llvm-exception", "Apache-2.0 WITH LLVM-exception"),
        ("Acme-1.0", "Acme-1.0"),
        ("all rights reserved", UNKNOWN),
        ("MIT AND", UNKNOWN),
        ("MIT OR (ISC", UNKNOWN),
        ("OR MIT", UNKNOWN),
        ("MIT WITH AND ISC", UNKNOWN),
        ("MIT ISC", UNKNOWN),
        ("", UNKNOWN),
        ("MIT OR " * 40 + "MIT", UNKNOWN),
        ("(" * 60 + "MIT" + ")" * 60, UNKNOWN),
    ],
)
def test_a_name_becomes_its_identifier(written, expected):
    assert spdx(written) == expected


@pytest.mark.parametrize(
    ("expression", "is_free"),
    [
        ("MIT", True),
        ("GPL-3.0-only", False),
        ("MIT OR GPL-3.0-only", True),
        ("GPL-3.0-only OR MIT", True),
        ("MIT AND GPL-3.0-only", False),
        ("MIT AND ISC", True),
        ("GPL-3.0-only AND MIT OR ISC", True),  # AND binds first
        ("GPL-3.0-only AND (MIT OR ISC)", False),
        ("(GPL-3.0-only OR MIT) AND ISC", True),
        ("MIT WITH LLVM-exception", True),
        ("GPL-3.0-only WITH Classpath-exception-2.0", False),
        ("Acme-1.0", False),
    ],
)
def test_one_side_of_an_or_is_enough_and_an_and_needs_both(expression, is_free):
    assert is_allowed(expression, {"MIT", "ISC"}) is is_free


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (["MIT"], "MIT"),
        (["MIT", "mit"], "MIT"),
        (["MIT", "GPL-3.0"], "MIT AND GPL-3.0-only"),
        (["MIT OR ISC", "Zlib"], "(MIT OR ISC) AND Zlib"),
        (["MIT", "nobody knows this"], UNKNOWN),
        ([], UNKNOWN),
    ],
)
def test_several_detected_licences_bind_together(names, expected):
    assert of_list(names) == expected


def test_two_equal_licences_are_one():
    assert both("CC-BY-SA-4.0", "CC-BY-SA-4.0") == "CC-BY-SA-4.0"
    assert both("CC-BY-SA-3.0", "CC-BY-SA-4.0") == "CC-BY-SA-3.0 AND CC-BY-SA-4.0"


@pytest.mark.parametrize(
    ("head", "expected"),
    [
        ("# SPDX-License-Identifier: Apache-2.0\n", "Apache-2.0"),
        ("# SPDX-License-Identifier: mit OR GPL-2.0-only\n", "MIT OR GPL-2.0-only"),
        ("/* SPDX-License-Identifier: MIT */\n", "MIT"),
        ("# SPDX-License-Identifier:\n", UNKNOWN),
        ("# SPDX-License-Identifier: (MIT\n", UNKNOWN),
        ("# modify it under the terms of the GNU General Public License\n", "GPL-1.0-or-later"),
        ("# under the terms of the\n# GNU Lesser General Public License\n", "LGPL-2.0-or-later"),
        ("# released under the AGPL\n", "AGPL-1.0-or-later"),
        ("# talks to GNU tar\n", None),
        ("x = 1\n", None),
    ],
)
def test_the_top_of_a_file_states_its_own_licence(head, expected):
    assert of_header(head) == expected


@pytest.mark.parametrize(
    "piece",
    [
        "terms of the GNU" + " " * 1600 + "x",
        "terms of the " + "# " * 800,
        "released under the GNU ",
    ],
)
def test_no_head_makes_the_search_for_a_licence_slow(piece):
    assert growth(COPYLEFT.search, piece) < 10


@pytest.mark.parametrize("before", ["terms", "terms of the", "terms of the GNU", "released under"])
def test_a_gap_as_long_as_the_file_is_passed_once(before):
    assert growth(lambda gap: COPYLEFT.search(f"{before}{gap}x"), " ") < 10


def test_only_the_head_of_a_long_first_line_is_searched():
    stated = "# SPDX-License-Identifier: MIT\n"
    assert of_header(" " * (LONGEST_HEAD - len(stated)) + stated) == "MIT"
    assert of_header(" " * LONGEST_HEAD + stated) is None
