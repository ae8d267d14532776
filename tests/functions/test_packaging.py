"""A function's zip: the same bytes on any machine, and no package downloaded twice."""

from __future__ import annotations

import base64
import hashlib
import importlib.util
import os
import stat
import subprocess
import sys
import time
import zipfile
from pathlib import Path

import pytest

from synthesis import packaging
from synthesis.packaging import FUNCTIONS, PackagingFailed, package, sha256_of

WHEEL = "greeting-1.0-py3-none-any.whl"
FILES_OF_THE_WHEEL = {
    "greeting/__init__.py": "WORD = 'hello'\n",
    "greeting/py.typed": "",
    "greeting-1.0.dist-info/METADATA": "Metadata-Version: 2.1\nName: greeting\nVersion: 1.0\n",
    "greeting-1.0.dist-info/WHEEL": "Wheel-Version: 1.0\nGenerator: me\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    "greeting-1.0.dist-info/entry_points.txt": "[console_scripts]\ngreet = greeting:main\n",
}


@pytest.fixture
def index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with one wheel, which is all that pip knows of."""
    folder = tmp_path / "index"
    folder.mkdir()
    record = "".join(f"{name},sha256={_encoded(text)},{len(text)}\n" for name, text in FILES_OF_THE_WHEEL.items())
    with zipfile.ZipFile(folder / WHEEL, "w") as wheel:
        for name, text in {**FILES_OF_THE_WHEEL, "greeting-1.0.dist-info/RECORD": record}.items():
            wheel.writestr(name, text)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    return folder


@pytest.fixture
def function(tmp_path: Path, index: Path) -> Path:
    folder = tmp_path / "greeter"
    folder.mkdir()
    (folder / "handler.py").write_text("import greeting\n", encoding="utf-8")
    (folder / "words.json").write_text("{}", encoding="utf-8")
    digest = hashlib.sha256((index / WHEEL).read_bytes()).hexdigest()
    (folder / "requirements.txt").write_text(f"greeting==1.0 --hash=sha256:{digest}\n", encoding="utf-8")
    return folder


def _encoded(text: str) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).decode().rstrip("=")


def names(archive: Path) -> list[str]:
    with zipfile.ZipFile(archive) as zipped:
        return zipped.namelist()


def test_zip_has_the_function_and_its_packages_in_order_without_installation_metadata(
    function: Path, tmp_path: Path
) -> None:
    archive = package(function, tmp_path / "out" / "greeter.zip", tmp_path / "cache")

    assert names(archive) == [
        "greeting-1.0.dist-info/METADATA",
        "greeting-1.0.dist-info/WHEEL",
        "greeting-1.0.dist-info/entry_points.txt",
        "greeting/__init__.py",
        "greeting/py.typed",
        "handler.py",
        "words.json",
    ]


def test_zip_has_the_same_bytes_on_another_machine(
    function: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = package(function, tmp_path / "one.zip", tmp_path / "cache-of-one")
    before = os.umask(0o077)
    try:
        # Another clock, other permissions, another place, and a Python that has left its byte code and caches there.
        other = tmp_path / "elsewhere" / "greeter"
        other.mkdir(parents=True)
        for path in sorted(function.iterdir(), reverse=True):
            (other / path.name).write_bytes(path.read_bytes())
            os.utime(other / path.name, (0, time.time() - 10**8))
        (other / "handler.py").chmod(0o700)
        (other / "__pycache__").mkdir()
        (other / "__pycache__" / "handler.cpython-311.pyc").write_bytes(b"byte code")
        (other / "handler.pyc").write_bytes(b"byte code")
        (other / ".DS_Store").write_bytes(b"finder")
        second = package(other, tmp_path / "two.zip", tmp_path / "cache-of-two")
    finally:
        os.umask(before)

    assert first.read_bytes() == second.read_bytes()


def test_zip_is_written_only_where_it_would_change(function: Path, tmp_path: Path) -> None:
    archive = package(function, tmp_path / "greeter.zip", tmp_path / "cache")
    first = archive.stat().st_ino
    assert sha256_of(archive) == hashlib.sha256(archive.read_bytes()).digest()
    assert package(function, archive, tmp_path / "cache").stat().st_ino == first
    handler = function / "handler.py"
    before, text = handler.stat(), handler.read_text()
    handler.write_text(text[:-2] + ("#" if text[-2] != "#" else "!") + text[-1])
    os.utime(handler, ns=(before.st_atime_ns, before.st_mtime_ns))  # as long, and as old
    assert package(function, archive, tmp_path / "cache").stat().st_ino != first
    assert sha256_of(archive) == hashlib.sha256(archive.read_bytes()).digest()
    archive.unlink()
    assert package(function, archive, tmp_path / "cache").is_file()


def test_zip_entries_reveal_nothing_of_the_machine(function: Path, tmp_path: Path) -> None:
    archive = package(function, tmp_path / "greeter.zip", tmp_path / "cache")

    with zipfile.ZipFile(archive) as zipped:
        for entry in zipped.infolist():
            assert entry.date_time == (1980, 1, 1, 0, 0, 0)
            assert stat.S_IMODE(entry.external_attr >> 16) == 0o644
            assert entry.create_system == 3
            # zlib's output differs by its version: stored bytes do not.
            assert entry.compress_type == zipfile.ZIP_STORED
        assert str(tmp_path).encode() not in archive.read_bytes()
        assert sys.executable.encode() not in archive.read_bytes()


def test_changed_handler_changes_the_zip(function: Path, tmp_path: Path) -> None:
    first = package(function, tmp_path / "one.zip", tmp_path / "cache").read_bytes()
    (function / "handler.py").write_text("import greeting  # changed\n", encoding="utf-8")

    assert package(function, tmp_path / "one.zip", tmp_path / "cache").read_bytes() != first


def test_vendored_packages_are_cached(function: Path, index: Path, tmp_path: Path) -> None:
    first = package(function, tmp_path / "one.zip", tmp_path / "cache").read_bytes()
    (index / WHEEL).unlink()
    (function / "handler.py").write_text("import greeting  # changed\n", encoding="utf-8")

    assert package(function, tmp_path / "two.zip", tmp_path / "cache").read_bytes() != first
    with pytest.raises(PackagingFailed, match="greeter: its packages cannot be had"):
        package(function, tmp_path / "three.zip", tmp_path / "empty-cache")
    assert list((tmp_path / "empty-cache").iterdir()) == []  # nothing half-done, to be taken for whole


def test_changed_lock_is_vendored_again(function: Path, tmp_path: Path) -> None:
    package(function, tmp_path / "one.zip", tmp_path / "cache")
    lock = function / "requirements.txt"
    lock.write_text(lock.read_text(encoding="utf-8").replace("1.0", "2.0"), encoding="utf-8")

    with pytest.raises(PackagingFailed, match=r"greeting==2\.0"):
        package(function, tmp_path / "two.zip", tmp_path / "cache")


@pytest.mark.parametrize("lock", ["greeting==1.0\n", f"greeting==1.0 --hash=sha256:{'0' * 64}\n"])
def test_package_without_a_matching_hash_is_rejected(function: Path, tmp_path: Path, lock: str) -> None:
    (function / "requirements.txt").write_text(lock, encoding="utf-8")

    with pytest.raises(PackagingFailed, match=r"(?i)hash"):
        package(function, tmp_path / "greeter.zip", tmp_path / "cache")


def test_vendored_package_may_not_replace_a_file_of_the_function(function: Path, tmp_path: Path) -> None:
    (function / "greeting").mkdir()
    (function / "greeting" / "__init__.py").write_text("", encoding="utf-8")

    with pytest.raises(PackagingFailed, match=r"greeting/__init__\.py is a file of a vendored package, too"):
        package(function, tmp_path / "greeter.zip", tmp_path / "cache")


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A repository with a package of two modules, one of them within another, and a module by itself."""
    root = tmp_path / "repository"
    (root / "services" / "money" / "codes").mkdir(parents=True)
    (root / "services" / "money" / "__init__.py").write_text("", encoding="utf-8")
    (root / "services" / "money" / "codes" / "iso.py").write_text("CODES = ['USD']\n", encoding="utf-8")
    (root / "services" / "money" / "__pycache__").mkdir()
    (root / "services" / "money" / "__pycache__" / "__init__.cpython-311.pyc").write_bytes(b"byte code")
    (root / "services" / "metric_names.py").write_text("STARTED = 'started'\n", encoding="utf-8")
    (root / "shared" / "codes").mkdir(parents=True)
    for shared in ("__init__.py", "words.py", "authorities.pem", "codes/__init__.py"):
        (root / "shared" / shared).write_text("", encoding="utf-8")
    return root


def test_zip_has_packages_of_the_repository(function: Path, repository: Path, tmp_path: Path) -> None:
    listed = "# what the service has, too\nservices/money  # amounts\n\nservices/metric_names.py\n"
    (function / "packages.txt").write_text(listed, encoding="utf-8")

    archive = package(function, tmp_path / "greeter.zip", tmp_path / "cache", repository)

    assert {"money/__init__.py", "money/codes/iso.py", "metric_names.py"} <= set(names(archive))
    assert not [name for name in names(archive) if name.endswith((".txt", ".pyc")) and "dist-info" not in name]
    with zipfile.ZipFile(archive) as zipped:
        assert zipped.read("money/codes/iso.py") == b"CODES = ['USD']\n"


def test_modules_of_the_shared_folder_keep_their_paths_in_the_zip(
    function: Path, repository: Path, tmp_path: Path
) -> None:
    (function / "packages.txt").write_text("shared/words.py\nshared/codes\nshared/authorities.pem\n", encoding="utf-8")

    archive = package(function, tmp_path / "greeter.zip", tmp_path / "cache", repository)

    ours = {name for name in names(archive) if not name.startswith("greeting")}
    assert ours == {
        "handler.py",
        "shared/__init__.py",
        "shared/authorities.pem",
        "shared/codes/__init__.py",
        "shared/words.py",
        "words.json",
    }


def test_changed_package_of_the_repository_changes_the_zip(function: Path, repository: Path, tmp_path: Path) -> None:
    (function / "packages.txt").write_text("services/money\n", encoding="utf-8")
    first = package(function, tmp_path / "one.zip", tmp_path / "cache", repository).read_bytes()
    (repository / "services" / "money" / "codes" / "iso.py").write_text("CODES = []\n", encoding="utf-8")

    assert package(function, tmp_path / "one.zip", tmp_path / "cache", repository).read_bytes() != first


@pytest.mark.parametrize("line", ["services/honey", "../repository-of-another", "/etc/hostname", "."])
def test_path_outside_the_repository_is_rejected(function: Path, repository: Path, tmp_path: Path, line: str) -> None:
    (tmp_path / "repository-of-another").mkdir()
    (function / "packages.txt").write_text(f"{line}\n", encoding="utf-8")

    with pytest.raises(PackagingFailed, match=r"greeter: packages\.txt: .* is no folder or file of this repository"):
        package(function, tmp_path / "greeter.zip", tmp_path / "cache", repository)


@pytest.mark.parametrize(
    ("line", "file", "message"),
    [
        ("services/money", "money/__init__.py", r"money/__init__\.py is a file of the repository's packages, too"),
        ("other/greeting", "other/greeting/__init__.py", r"greeting/__init__\.py is a file of a vendored package, too"),
        ("services/money\nother/money", "other/money/__init__.py", r"is a file of another line of packages\.txt, too"),
    ],
)
def test_package_of_the_repository_may_not_replace_a_file(
    function: Path, repository: Path, tmp_path: Path, line: str, file: str, message: str
) -> None:
    place = (function if file.startswith("money") else repository) / file
    place.parent.mkdir(parents=True)
    place.write_text("", encoding="utf-8")
    (function / "packages.txt").write_text(f"{line}\n", encoding="utf-8")

    with pytest.raises(PackagingFailed, match=message):
        package(function, tmp_path / "greeter.zip", tmp_path / "cache", repository)


def test_folder_without_a_handler_is_rejected(tmp_path: Path) -> None:
    with pytest.raises(PackagingFailed, match=r"no handler\.py"):
        package(tmp_path, tmp_path / "none.zip")


def test_wheels_are_of_the_functions_platform(function: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[list[str]] = []

    def install(options: list[str], _requirements: Path) -> None:
        asked.append(options)
        Path(next(one for one in options if one.startswith("--target=")).partition("=")[2]).mkdir()

    monkeypatch.setattr(packaging, "_install", install)
    package(function, tmp_path / "greeter.zip", tmp_path / "cache")

    assert {
        "--python-version=3.13",
        "--platform=manylinux_2_28_aarch64",
        "--platform=manylinux2014_aarch64",
        "--only-binary=:all:",
        "--require-hashes",
    } <= set(asked[0])


def test_smoke_test_zip_has_its_handler_and_the_list_of_its_calls(tmp_path: Path) -> None:
    made = package(FUNCTIONS / "smoke_test", tmp_path / "smoke.zip", tmp_path / "cache")
    assert names(made) == ["calls.toml", "handler.py"]


OF_THE_RUNTIME = ("boto3", "botocore", "dateutil", "jmespath", "s3transfer", "six", "urllib3")
IMPORTS = """
import sys
code, runtime = sys.argv[1:]
sys.path[:0] = [code]
sys.path.append(runtime)
import handler
handler.handler
"""


# Functions of pure Python: those with compiled packages have them for another platform than this.
@pytest.mark.parametrize("name", ["rotate_api_key", "rotate_database_secret", "smoke_test"])
def test_zip_has_everything_that_a_pure_python_function_imports(name: str, tmp_path: Path) -> None:
    code, runtime = tmp_path / "code", tmp_path / "runtime"
    with zipfile.ZipFile(package(FUNCTIONS / name, tmp_path / "function.zip")) as zipped:
        zipped.extractall(code)
    runtime.mkdir()
    for of_boto3 in OF_THE_RUNTIME:
        found = importlib.util.find_spec(of_boto3)
        assert found
        assert found.origin
        origin = Path(found.origin)
        installed = origin.parent if origin.name == "__init__.py" else origin
        (runtime / installed.name).symlink_to(installed)

    # -S: without what else is installed here.
    command = [sys.executable, "-I", "-S", "-c", IMPORTS, str(code), str(runtime)]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)

    assert ended.returncode == 0, ended.stderr


NAMES_BY_PLACE = """
import importlib
import pathlib
import sys
code = pathlib.Path(sys.argv[1])
found = 0
for file in sorted(code.rglob("*.py")):
    name = ".".join(file.relative_to(code).with_suffix("").parts).removesuffix(".__init__")
    if name == "handler" or name.endswith("__main__") or "migrations" in file.parts:  # what others run, not import
        continue
    for value in vars(importlib.import_module(name)).values():
        if isinstance(value, pathlib.Path) and code in value.parents:
            found += 1
            assert value.exists(), f"{name} names {value.relative_to(code)}, which is not in the zip"
print(found)
"""


@pytest.mark.requirement("W3.3")
def test_data_files_of_a_module_are_in_the_zip(tmp_path: Path) -> None:
    found = 0
    for number, name in enumerate(["rotate_database_secret", "prepare_database"]):
        code = tmp_path / str(number)
        for inner, path in packaging._of_the_repository(
            FUNCTIONS / name / "packages.txt", packaging.REPOSITORY
        ).items():
            (code / inner).parent.mkdir(parents=True, exist_ok=True)
            (code / inner).write_bytes(path.read_bytes())
        # With the libraries of this machine, as those of a zip are for another processor.
        command = [sys.executable, "-P", "-c", f"import sys; sys.path.insert(0, {str(code)!r})\n{NAMES_BY_PLACE}"]
        ended = subprocess.run([*command, str(code)], capture_output=True, text=True, check=False, cwd=tmp_path)
        assert ended.returncode == 0, ended.stderr
        found += int(ended.stdout)
    assert found, "no module names anything by its place any more"
