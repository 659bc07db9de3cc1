"""The Python that runs this as a source of code."""

import platform
from email.message import Message

import pytest

from hornbook.code.installed import licence_of, packages, pinned
from hornbook.errors import ConfigError

VERSION = platform.python_version()


def test_names_get_the_versions_that_are_installed_here():
    assert pinned(["python"]) == [f"python=={VERSION}"]
    every = pinned(["*"])
    assert f"python=={VERSION}" in every
    assert any(name.startswith("pyarrow==") for name in every)
    assert pinned(every) == every == sorted(every)


def test_what_is_not_installed_is_named():
    with pytest.raises(ConfigError, match="no-such-thing is not installed here"):
        pinned(["no-such-thing"])


def test_another_version_than_the_pinned_one_is_refused():
    with pytest.raises(ConfigError, match=rf"python==2\.7, but {VERSION} is installed"):
        list(packages(["python==2.7"]))


def test_the_library_is_taken_without_what_is_installed_into_it():
    (library,) = packages([f"python=={VERSION}"])
    names = {file.name for file in library.files}
    assert library.licence == "PSF-2.0"
    assert {f"python-{VERSION}/abc.py", f"python-{VERSION}/json/decoder.py"} <= names
    assert not any("site-packages" in name for name in names)


def test_a_distribution_has_its_source_files_and_licence():
    (one,) = packages(pinned(["packaging"]))
    assert one.licence == "Apache-2.0 OR BSD-2-Clause"
    assert f"packaging-{one.version}/packaging/version.py" in {file.name for file in one.files}
    assert all(file.name.endswith(".py") for file in one.files)


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        (
            [
                ("License-Expression", "MIT OR Apache-2.0"),
                ("Classifier", "License :: OSI Approved :: BSD License"),
            ],
            "MIT OR Apache-2.0",
        ),
        ([("License", "Apache 2.0")], "Apache-2.0"),
        (
            [("License", "BSD"), ("Classifier", "License :: OSI Approved :: BSD License")],
            "BSD-2-Clause AND BSD-3-Clause",
        ),
        (
            [("License", "BSD-3-Clause"), ("Classifier", "License :: OSI Approved :: BSD License")],
            "BSD-3-Clause",
        ),
        ([("License", "MIT License\n\nCopyright (c) somebody\n...")], "MIT"),
        (
            [("License", "see the file"), ("Classifier", "License :: OSI Approved :: MIT License")],
            "MIT",
        ),
        (
            [
                ("Classifier", "License :: OSI Approved :: MIT License"),
                ("Classifier", "License :: OSI Approved :: Apache Software License"),
            ],
            "MIT AND Apache-2.0",
        ),
        ([("Classifier", "License :: OSI Approved")], ""),
        ([("License", "Copyright 2018 somebody")], ""),
        ([], ""),
    ],
)
def test_the_licence_is_read_from_what_the_metadata_say(fields, expected):
    about = Message()
    for name, value in fields:
        about[name] = value
    assert licence_of(about) == expected
