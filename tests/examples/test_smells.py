"""Each security rule on the code it is made for, and on the code next to it that is fine."""

from pathlib import Path

import pytest

from examples.codebase_analysis import smells
from tests.examples.trees import measured, rules

# Put together, so that this file holds no text that looks like a key.
CLOUD_KEY = "AKIA" + "Z" * 16

SMELLY = {
    "dynamic-code": [
        "eval(text)",
        "exec(text)",
        "import builtins\nbuiltins.exec(text)",
    ],
    "shell": [
        "import subprocess\nsubprocess.run(command, shell=True)",
        "import os\nos.system(f'ls {folder}')",
        "from os import popen\npopen(command)",
        "import subprocess as s\ns.getoutput(command)",
    ],
    "unsafe-load": [
        "import pickle\npickle.loads(data)",
        "import pickle as p\np.load(file)",
        "from pickle import loads as read\nread(data)",
        "import marshal\nmarshal.loads(data)",
        "import yaml\nyaml.load(text)",
        "import yaml\nyaml.load(text, Loader=yaml.FullLoader)",
        "import shelve\nshelve.open('cache')",
    ],
    "hard-coded-secret": [
        "password = 'hunter2x'",
        "DB_PASSWORD: str = 'correct-horse'",
        "self.api_key = 'k3y-0123456789abcdef'",
        "connect(user='ada', password='hunter2x')",
        "settings = {'secret': 'hunter2x'}",
        "config['auth_token'] = 'a1b2c3d4e5f6a7b8c9'",
        f"client('{CLOUD_KEY}')",
    ],
    "sql-from-text": [
        "db.execute(f'SELECT name FROM person WHERE id = {key}')",
        "db.execute('select name from person where id = %s' % key)",
        "db.execute('DELETE FROM person WHERE id = ' + key)",
        "db.execute('INSERT INTO person VALUES ({})'.format(name))",
        "db.execute(f'UPDATE person SET name = {name}')",
        "db.execute(f'SELECT {columns} FROM person')",
    ],
    "no-tls-check": [
        "import requests\nrequests.get(url, verify=False)",
        "session.post(url, verify=False)",
        "import ssl\nssl._create_unverified_context()",
        "context.check_hostname = False",
        "import ssl\ncontext.verify_mode = ssl.CERT_NONE",
    ],
    "weak-hash": [
        "import hashlib\nhashlib.md5(data)",
        "from hashlib import sha1\nsha1(data)",
        "import hashlib\nhashlib.new('MD5', data)",
    ],
    "race-in-temp": ["import tempfile\nname = tempfile.mktemp()"],
    "checking-assert": ["def pay(amount):\n    assert amount > 0\n    return amount"],
}

FINE = [
    "evaluate(text)",
    "model.eval()",
    "def eval_later(): ...",
    "import subprocess\nsubprocess.run(['ls', folder])",
    "import subprocess\nsubprocess.run(command, shell=False)",
    "import json\njson.loads(data)",
    "import yaml\nyaml.safe_load(text)",
    "import yaml\nyaml.load(text, Loader=yaml.SafeLoader)",
    "from yaml import CSafeLoader, load\nload(text, CSafeLoader)",
    "password = read_password()",
    "password = ''",
    "password = 'password'",
    "password = '<your password>'",
    "password = '${PASSWORD}'",
    "token = 'NAME'",
    "secret_word_list = 'a b c'",
    "db.execute('SELECT name FROM person WHERE id = %s', [key])",
    "print(f'Select a file from {folder}')",
    "log('SELECT done: %s' % count)",
    "text = 'SELECT a ' + 'FROM b'",
    "requests.get(url, verify=True)",
    "check(verify=False)",
    "import hashlib\nhashlib.md5(data, usedforsecurity=False)",
    "import hashlib\nhashlib.sha256(data)",
    "import tempfile\ntempfile.mkstemp()",
    "def pay(amount):\n    total = 1\n    assert total > 0",
    "assert __debug__",
]


@pytest.mark.parametrize(
    "rule,source", [(rule, source) for rule, sources in SMELLY.items() for source in sources]
)
def test_a_smell_is_found_where_it_stands(tmp_path: Path, rule: str, source: str) -> None:
    line = max(1, source.count("\n")) if rule == "checking-assert" else source.count("\n") + 1
    found = rules(measured(tmp_path, source, "security"))
    assert found == [(rule, 2 if rule == "checking-assert" else line)]


def test_every_rule_has_an_example() -> None:
    assert set(SMELLY) == set(smells.RULES)


@pytest.mark.parametrize("source", FINE)
def test_harmless_code_has_no_smell(tmp_path: Path, source: str) -> None:
    assert rules(measured(tmp_path, source, "security")) == []


def test_an_assert_in_a_test_is_what_tests_are_for(tmp_path: Path) -> None:
    source = "def test_pay(amount):\n    assert amount > 0"
    for name in ("test_pay.py", "tests/pay.py", "a/test/b.py"):
        assert rules(measured(tmp_path, source, name=name)) == []


def test_a_finding_shows_its_line_but_never_a_secret(tmp_path: Path) -> None:
    (found,) = measured(tmp_path, "x = 1\nconnect(password='hunter2x')", "security").findings
    assert (found.line, found.detail) == (2, "password")
    assert found.code == "connect(password='hu…')"
    (key,) = measured(tmp_path, f"# key: {CLOUD_KEY}", "security").findings
    assert CLOUD_KEY not in key.code


def test_a_name_is_looked_through_to_what_was_imported(tmp_path: Path) -> None:
    source = """\
        import json as pickle
        from mylib import system

        pickle.loads(data)
        system(command)
    """
    assert rules(measured(tmp_path, source, "security")) == []
