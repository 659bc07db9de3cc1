"""Secrets by their issuers' formats and by what they are assigned to; lookalikes are none.

No secret is written out here: scanners of repositories would take it for one.
"""

import ast
import random
import string
from dataclasses import replace

import pytest

from hornbook.code.secrets import MASK, PRIVATE_KEY, entropy, find, masked
from tests.code.rules import RULES
from tests.cpu_time import growth

SECRETS = RULES.secrets
LETTERS = string.ascii_letters + string.digits


def drawn(count: int, letters: str = LETTERS, seed: int = 0) -> str:
    return "".join(random.Random(seed).choices(letters, k=count))


HEX, UPPER = "0123456789abcdef", string.ascii_uppercase + "234567"
BODY = "\n".join(drawn(64, seed=n) for n in range(4))
ISSUED = {
    "aws_key_id": "AKI" + "A" + drawn(16, UPPER),
    "github_token": "gh" + "p_" + drawn(36),
    "gitlab_token": "glp" + "at-" + drawn(20),
    "slack_token": "xoxb-" + drawn(12, string.digits) + "-" + drawn(12, string.digits) + drawn(9),
    "google_key": "AIz" + "a" + drawn(35),
    "stripe_key": "sk_" + "live_" + drawn(24),
    "openai_key": "sk-" + drawn(20) + "T3Blbk" + "FJ" + drawn(20),
    "anthropic_key": "sk-" + "ant-api03-" + drawn(93),
    "hugging_face_token": "hf" + "_" + drawn(34, string.ascii_letters),
    "npm_token": "npm" + "_" + drawn(36),
    "pypi_token": "pypi-" + "AgEIcHlwaS5vcmc" + drawn(60),
    "sendgrid_key": "SG" + "." + drawn(22) + "." + drawn(43),
    "digitalocean_token": "dop" + "_v1_" + drawn(64, HEX),
    "shopify_token": "shp" + "at_" + drawn(32, HEX),
    "mailgun_key": "key" + "-" + drawn(32, HEX),
    "telegram_token": drawn(9, "123456789") + ":A" + "A" + drawn(33),
    "azure_key": "Account" + "Key=" + drawn(86) + "==",
    "web_token": "ey" + "J" + drawn(20) + ".ey" + "J" + drawn(30) + "." + drawn(43),
    "google_token": "ya" + "29." + drawn(60),
    "slack_webhook": "https://hooks.slack.com/services/"
    f"T{drawn(9, UPPER)}/B{drawn(9, UPPER)}/{drawn(24)}",
    "private_key": f"-----BEGIN RSA PRIVATE {'KEY'}-----\n{BODY}\n",
}


@pytest.mark.parametrize("kind", sorted(ISSUED))
def test_a_secret_is_known_by_its_format(kind):
    text = f"x = '''{ISSUED[kind]}'''\n"
    found = find(text, SECRETS)
    assert kind in {one.kind for one in found}
    assert ISSUED[kind][-20:].strip() not in masked(text, found)


@pytest.mark.parametrize("kind", ["github_token", "aws_key_id", "stripe_key", "npm_token"])
def test_a_format_cut_short_is_no_secret(kind):
    assert find(f"x = '{ISSUED[kind][:-12]}'\n", SECRETS) == []


@pytest.mark.parametrize(
    "text",
    [
        "x = 'AKIAIOSFODNN7EXAMPLE'",
        "x = 'ghp_" + "x" * 36 + "'",
        "x = 'ghp_" + "abcdefghijklmnopqrstuvwxyz0123456789" + "'",
        "HEADER = '-----BEGIN RSA PRIVATE " + "KEY-----'",
        "MARKS = ['-----BEGIN EC PRIVATE " + "KEY-----', '-----END EC PRIVATE KEY-----']",
    ],
)
def test_examples_and_constants_of_parsers_are_no_secrets(text):
    assert find(text, SECRETS) == []


VALUE = drawn(24, seed=3)


@pytest.mark.parametrize(
    "line",
    [
        f'password = "{VALUE}"',
        f'DB_PASSWORD: str = "{VALUE}"',
        f"config['api_key'] = '{VALUE}'",
        f'{{"secret_token": "{VALUE}"}}',
        f"connect(token='{VALUE}')",
        f"# client_secret={VALUE!r}",
        f'self.access_key = b"{VALUE}"',
    ],
)
def test_a_random_string_assigned_to_such_a_name_is_a_secret(line):
    assert [one.kind for one in find(line, SECRETS)] == ["assigned"]
    assert VALUE not in masked(line, find(line, SECRETS))


@pytest.mark.parametrize(
    "line",
    [
        'password = "xxxxxxxxxxxxxxxxxxxxxx"',
        'password = "changeme-changeme-42"',
        'token = "your_token_goes_here_1"',
        'api_key = "0123456789abcdef0123456789abcdef"',
        'secret = "example-8f7a6b5c4d3e2f1a"',
        'token = "authorization_code_grant_2"',
        'password = "{password_of_the_day1}"',
        'token_url = "https://a.example/oauth2/t0k3n/x9q"',
        'page_token = "eyJpbmRleCI6IDExfQ=="',
        f'"AWS::ApiGateway::ApiKey": "{VALUE}"',
        f'checksum = "{VALUE}"',
        f'tokens = count("{VALUE}")',
        'password = "AAAAAAAABBBBBBBB1111"',
        'password = getpass("Type it now, please 123")',
    ],
)
def test_placeholders_words_and_other_names_are_no_secrets(line):
    assert find(line, SECRETS) == []


def test_length_and_entropy_count_from_their_thresholds_on():
    value = drawn(20, seed=5)
    line = f'password = "{value}"'
    assert find(line, replace(SECRETS, min_length=20))
    assert not find(line, replace(SECRETS, min_length=21))
    assert find(line, replace(SECRETS, min_entropy=entropy(value)))
    assert not find(line, replace(SECRETS, min_entropy=entropy(value) + 0.01))


def test_entropy_is_in_bits_a_character():
    assert entropy("aaaa") == 0
    assert entropy("abcdefgh") == 3


def test_a_masked_program_still_parses_and_keeps_the_rest():
    text = f"def f():\n    token = '{VALUE}'\n    return token  # {ISSUED['github_token']}\n"
    clean = masked(text, find(text, SECRETS))
    assert ast.parse(clean).body
    assert clean == f"def f():\n    token = '{MASK}'\n    return token  # {MASK}\n"


def test_secrets_that_overlap_are_masked_once():
    text = f"token = '{ISSUED['github_token']}'\n"
    assert masked(text, find(text, SECRETS)) == f"token = '{MASK}'\n"


@pytest.mark.parametrize(
    "piece", ["password=", "-----BEGIN PRIVATE KEY-----", "token='", "eyJa.", "a" * 99]
)
def test_no_text_makes_the_search_slow(piece):
    import time

    text = piece * (1_000_000 // len(piece))
    started = time.process_time()
    find(text, SECRETS)
    assert time.process_time() - started < 5


BEGIN = "-----BEGIN PRIVATE " + "KEY-----"


@pytest.mark.parametrize(
    "piece",
    [
        BEGIN + ("abcd:" + "," * 100) * 5 + "!",
        BEGIN + "abcd:x," * 60 + "!",
        BEGIN + "abcd:" * 80 + "!",
        BEGIN + " +" * 500 + "!",
    ],
)
def test_lines_before_a_key_are_divided_in_one_way(piece):
    assert growth(PRIVATE_KEY.findall, piece) < 10


def test_a_longer_gap_before_a_key_takes_longer_in_proportion():
    def search(gap):
        return PRIVATE_KEY.findall(BEGIN + f"abcd:{gap}" * 4 + "!")

    assert growth(search, ",", characters=200_000) < 10


@pytest.mark.parametrize("end", ["\n", "\\n", " ", '\\n"\n    "'])
def test_a_key_with_lines_before_its_body_is_a_secret(end):
    lines = ["Proc-Type: 4,ENCRYPTED", "DEK-Info: AES-128-CBC,0A1B2C3D", "", drawn(64), drawn(64)]
    text = BEGIN.replace(" PRIVATE", " RSA PRIVATE") + end + end.join(lines)
    assert masked(text, find(text, SECRETS)) == MASK
