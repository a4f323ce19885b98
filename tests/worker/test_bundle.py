"""The code of a project as one file: what is in it, that it is the same each time, and back."""

import base64
import gzip
import hashlib
import io
import os
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest

from mainspring.errors import ConfigurationError, PayloadTooLarge
from mainspring.worker import bundle
from mainspring.worker.ignored import ignored, patterns

Write = Callable[..., Path]


@pytest.fixture
def project(tmp_path: Path) -> Write:
    """Writes files of a project; gives its folder."""

    def write(**files: str) -> Path:
        for name, text in files.items():
            path = tmp_path / "project" / name.replace("__", "/").replace("_dot_", ".")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        return tmp_path / "project"

    return write


def names(packed: bundle.Packed) -> set[str]:
    return set(packed.files)


def test_the_same_content_is_the_same_bundle(project: Write, tmp_path: Path) -> None:
    root = project(tasks_dot_py="a = 1", shop__mail_dot_py="b = 2", shop__run_dot_sh="#!/bin/sh")
    (root / "shop/run.sh").chmod(0o755)
    first = bundle.pack(root)
    os.utime(root / "tasks.py", (1, 1))
    (root / "shop/mail.py").chmod(0o600)
    (root / "shop/__pycache__").mkdir()
    (root / "shop/__pycache__/mail.pyc").write_bytes(b"\0")
    assert bundle.pack(root) == first
    assert first.hash == hashlib.sha256(first.data).hexdigest()
    (root / "tasks.py").write_text("a = 2")
    assert bundle.pack(root).hash != first.hash
    bundle.unpack(first.data, first.hash, tmp_path / "out")
    assert (tmp_path / "out/tasks.py").read_text() == "a = 1"
    assert os.access(tmp_path / "out/shop/run.sh", os.X_OK)
    assert not os.access(tmp_path / "out/tasks.py", os.X_OK)


def test_secrets_and_what_tools_make_stay_out(project: Write) -> None:
    root = project(
        tasks_dot_py="",
        _dot_env="KEY=secret",
        _dot_env_dot_local="KEY=secret",
        prod_dot_env="KEY=secret",
        _dot_git__config="",
        tls_dot_pem="",
        state_dot_db="",
        myvenv__pyvenv_dot_cfg="",
        myvenv__lib_dot_py="",
        node_modules__x_dot_js="",
        env_dot_py="",
    )
    (root / ".gitignore").write_text("!.env\n")
    assert names(bundle.pack(root)) == {"tasks.py", "env.py"}


def test_patterns_of_the_project_leave_files_out_and_bring_them_back(project: Write) -> None:
    root = project(
        tasks_dot_py="", data__big_dot_bin="", data__small_dot_bin="", build__out_dot_py="",
        docs__a_dot_md="",
    )  # fmt: skip
    (root / ".gitignore").write_text("# made\n\n/build/\n*.bin\n")
    (root / ".mainspringignore").write_text("!small.bin\ndocs/**\n")
    assert names(bundle.pack(root)) == {"tasks.py", "data/small.bin"}


@pytest.mark.parametrize(
    "pattern, path, is_folder, out",
    [
        ("*.log", "a/b.log", False, True),
        ("/top.py", "a/top.py", False, False),
        ("a/*.py", "a/b/c.py", False, False),
        ("a/**/c.py", "a/b/b/c.py", False, True),
        ("logs/", "logs", False, False),
        ("logs/", "x/logs", True, True),
        ("file[0-9].py", "file7.py", False, True),
        ("file[!0-9].py", "file7.py", False, False),
        ("f?le.py", "file.py", False, True),
    ],
)
def test_patterns_are_those_of_gitignore(
    pattern: str, path: str, is_folder: bool, out: bool
) -> None:
    assert ignored(path, is_folder, patterns([pattern])) is out


def test_a_file_with_the_servers_key_is_not_packed(project: Write) -> None:
    root = project(tasks_dot_py="", mainspring_dot_toml='secret_key = "tr_prod_sk_1234"')
    with pytest.raises(ConfigurationError, match=r"mainspring\.toml holds the secret key"):
        bundle.pack(root, "tr_prod_sk_1234")


def test_a_link_that_leads_out_is_refused(project: Write, tmp_path: Path) -> None:
    root = project(tasks_dot_py="x")
    (root / "same.py").symlink_to(root / "tasks.py")
    assert names(bundle.pack(root)) == {"tasks.py", "same.py"}
    (tmp_path / "outside").write_text("secret")
    (root / "out.py").symlink_to(tmp_path / "outside")
    with pytest.raises(ConfigurationError, match=r"out\.py is a link that leads out"):
        bundle.pack(root)


def test_a_bundle_that_is_too_large_names_its_largest_files(
    project: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bundle, "BUNDLE_LIMIT", 2_000)
    noise = base64.b64encode(os.urandom(3_000)).decode()
    root = project(tasks_dot_py="", model_dot_bin=noise)
    with pytest.raises(PayloadTooLarge, match=r"largest files are model\.bin \(4,000 bytes\)"):
        bundle.pack(root)
    (root / "tasks.py").unlink()
    (root / "model.bin").unlink()
    with pytest.raises(ConfigurationError, match="no file to deploy"):
        bundle.pack(root)


def hostile(name: str, kind: bytes = tarfile.REGTYPE) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as tar:
        info = tarfile.TarInfo(name)
        info.type, info.linkname, info.size = kind, "/etc/passwd", 0
        tar.addfile(info)
    return buffer.getvalue()


@pytest.mark.parametrize(
    "data",
    [
        b"no archive",
        gzip.compress(b"no tar"),
        hostile("../out.py"),
        hostile("a", tarfile.SYMTYPE),
        hostile("a", tarfile.CHRTYPE),
    ],
    ids=["no archive", "no tar", "outside", "link", "device"],
)
def test_a_hostile_bundle_writes_nothing_outside(data: bytes, tmp_path: Path) -> None:
    into = tmp_path / "deep" / "out"
    with pytest.raises(ConfigurationError, match="cannot be unpacked"):
        bundle.unpack(data, hashlib.sha256(data).hexdigest(), into)
    assert not [path for path in tmp_path.rglob("*") if not path.is_dir()]
    with pytest.raises(ConfigurationError, match="has the hash"):
        bundle.unpack(data, "0" * 64, into)
