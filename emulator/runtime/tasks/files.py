"""The file system of a container: built in a mount namespace, of which it becomes the root."""

from __future__ import annotations

import contextlib
from pathlib import Path

from emulator.runtime.tasks import namespaces
from emulator.runtime.tasks.box import Box, Mount

# In place of the base image: this machine's programs and libraries, without its configuration and its users' data.
BASE = ("/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32", "/etc/alternatives", "/etc/ld.so.cache")
DEVICES = ("null", "zero", "full", "random", "urandom")
SHARED_MEMORY_MIB = 64  # Docker's
_WRITABLE_BY_ROOT = 0o555
"""Mode of root's folders where this process cannot map root in addition to the user: the user may not write there."""


def make_root(box: Box, root: Path) -> None:
    """Build the file system below ``root`` and make it the root of this process, which has its own mount namespace.

    Raises:
        OSError: a part of it is missing or cannot be mounted.
    """
    namespaces.mount("none", Path("/"), flags=namespaces.RECURSIVE | namespaces.PRIVATE)
    _mount_memory(root, 0o755)
    for path in BASE:
        _show(Path(path), root)
    for path, source in box.folders.items():
        _bind(Path(source), root / path.lstrip("/"))
    for path, text in box.files.items():
        file = root / path.lstrip("/")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
        file.chmod(0o755 if text.startswith("#!") else 0o644)
    _add_devices(root)
    for one in box.mounts:
        _add(one, root)
    if box.read_only:
        flags = namespaces.REMOUNT | namespaces.BIND | namespaces.READ_ONLY
        namespaces.mount("", root, flags=flags | namespaces.NO_SUID | namespaces.NO_DEVICES)
    namespaces.enter_root(root)


def add_processes() -> None:
    """Mount /proc of the process namespace; where that is not allowed, this machine's.

    A nested container may not: https://man7.org/linux/man-pages/man7/user_namespaces.7.html ("mounted over")
    """
    with contextlib.suppress(PermissionError):
        namespaces.mount("proc", Path("/proc"), "proc")


def _mount_memory(folder: Path, mode: int, options: str = "") -> None:
    folder.mkdir(parents=True, exist_ok=True)
    flags = namespaces.NO_SUID | namespaces.NO_DEVICES
    namespaces.mount("tmpfs", folder, "tmpfs", flags, f"mode={mode:o}{options}")


def _show(path: Path, root: Path) -> None:
    """Show a path of this machine at the same path: a link as a link, a folder or file read only."""
    place = root / str(path).lstrip("/")
    if path.is_symlink():
        place.parent.mkdir(parents=True, exist_ok=True)
        place.symlink_to(path.readlink())
    elif path.exists():
        _bind(path, place)


def _bind(source: Path, place: Path) -> None:
    if source.is_dir():
        place.mkdir(parents=True, exist_ok=True)
    else:
        place.parent.mkdir(parents=True, exist_ok=True)
        place.touch()
    namespaces.bind(source, place)


def _add_devices(root: Path) -> None:
    for name in DEVICES:
        place = root / "dev" / name
        place.parent.mkdir(exist_ok=True)
        place.touch()
        namespaces.mount(f"/dev/{name}", place, flags=namespaces.BIND)
    (root / "dev" / "fd").symlink_to("/proc/self/fd")
    _mount_memory(root / "dev" / "shm", 0o1777, f",size={SHARED_MEMORY_MIB}m")
    (root / "proc").mkdir()
    namespaces.mount("/proc", root / "proc", flags=namespaces.BIND | namespaces.RECURSIVE)


def _add(one: Mount, root: Path) -> None:
    writable_by_others = one.mode & 0o002
    mode = one.mode if writable_by_others or namespaces.is_root_mapped() else _WRITABLE_BY_ROOT
    folder = root / one.path.lstrip("/")
    _mount_memory(folder, mode)
    if one.read_only:
        flags = namespaces.REMOUNT | namespaces.BIND | namespaces.READ_ONLY
        namespaces.mount("", folder, flags=flags | namespaces.NO_SUID | namespaces.NO_DEVICES)
