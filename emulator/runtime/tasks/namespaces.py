"""Linux namespaces, mounts and addresses by the C library: the parts of a container.

https://man7.org/linux/man-pages/man7/user_namespaces.7.html, mount_namespaces.7, network_namespaces.7, netdevice.7
"""

from __future__ import annotations

import contextlib
import ctypes
import fcntl
import os
import socket
import struct
import sys
from pathlib import Path

_libc = ctypes.CDLL(None, use_errno=True)

NEW_MOUNTS, NEW_USERS, NEW_PROCESSES, NEW_NETWORK = 0x00020000, 0x10000000, 0x20000000, 0x40000000
NEW_NAMES, NEW_IPC = 0x04000000, 0x08000000
READ_ONLY, NO_SUID, NO_DEVICES, NO_EXECUTION = 1, 2, 4, 8
REMOUNT, BIND, RECURSIVE, PRIVATE = 32, 4096, 16384, 1 << 18
_DETACH = 2
_SET_DUMPABLE, _DROP_FROM_BOUNDING_SET, _NO_NEW_PRIVILEGES = 4, 24, 38
_LAST_CAPABILITY = 40
_PIVOT_ROOT = {"x86_64": 155, "aarch64": 41}
_GET_FLAGS, _SET_FLAGS, _SET_ADDRESS, _SET_NETMASK, _UP = 0x8913, 0x8914, 0x8916, 0x891C, 1

SUBORDINATE = 100_000
"""Added to a container's user id where this process may choose it: an id that no user of this machine has."""


def unshare(flags: int) -> None:
    """Move this process to namespaces of its own; a process namespace starts with its next child."""
    _check(_libc.unshare(flags), "unshare")


def mount(source: str, target: Path, kind: str = "", flags: int = 0, options: str = "") -> None:
    """Mount a file system at a folder; the parameters are those of the system call."""
    done = _libc.mount(source.encode(), os.fsencode(target), kind.encode(), flags, options.encode())
    _check(done, f"mount {target}")


def bind(source: Path, target: Path) -> None:
    """Bind a file or folder of this machine to another path, read only."""
    mount(str(source), target, flags=BIND | RECURSIVE)
    # The mount's existing flags are kept: in a user namespace they cannot be cleared.
    kept = os.statvfs(target).f_flag & (NO_SUID | NO_DEVICES | NO_EXECUTION)
    mount("", target, flags=REMOUNT | BIND | READ_ONLY | kept)


def enter_root(root: Path) -> None:
    """Make ``root`` the root, and unmount the former one."""
    os.chdir(root)
    number = _PIVOT_ROOT[os.uname().machine]
    _check(_libc.syscall(number, b".", b"."), "pivot_root")
    _check(_libc.umount2(b".", _DETACH), "umount2")
    os.chdir("/")


def drop_privileges(user: int) -> None:
    """Become ``user``, without any capability and any way to gain one."""
    for capability in range(_LAST_CAPABILITY + 1):
        _libc.prctl(_DROP_FROM_BOUNDING_SET, capability, 0, 0, 0)
    with contextlib.suppress(PermissionError):  # where groups cannot be set, there are none to drop
        os.setgroups([])
    os.setresgid(user, user, user)
    os.setresuid(user, user, user)
    _check(_libc.prctl(_NO_NEW_PRIVILEGES, 1, 0, 0, 0), "prctl")
    _libc.prctl(_SET_DUMPABLE, 1, 0, 0, 0)


def refusal() -> str:
    """Why this process cannot create containers on this machine; empty where it can."""
    if sys.platform != "linux" or os.uname().machine not in _PIVOT_ROOT:
        return f"there are no namespaces on {sys.platform}"
    heard, says = os.pipe()
    pid = os.fork()
    if not pid:
        try:
            unshare(NEW_USERS | NEW_MOUNTS | NEW_NETWORK)
            mount("none", Path("/"), flags=RECURSIVE | PRIVATE)
        except OSError as error:
            os.write(says, str(error).encode())
        os._exit(0)
    os.close(says)
    with os.fdopen(heard, "rb") as pipe:
        said = pipe.read().decode()
    os.waitpid(pid, 0)
    return f"this machine lets nobody make namespaces ({said})" if said else ""


def map_users(pid: int, user: int) -> None:
    """Map root and ``user`` of another process's user namespace to ids outside of it.

    A privileged process maps ``user`` to an id that no user of this machine has. Others can map only their own id.
    """
    own_user, own_group = os.geteuid(), os.getegid()
    beside = f"{user} {SUBORDINATE + user} 1\n" if user else ""
    try:
        _write(pid, "uid_map", f"0 {own_user} 1\n{beside}")
        _write(pid, "gid_map", f"0 {own_group} 1\n{beside}")
    except PermissionError:
        _write(pid, "setgroups", "deny")
        _write(pid, "uid_map", f"{user} {own_user} 1\n")
        _write(pid, "gid_map", f"{user} {own_group} 1\n")


def is_root_mapped() -> bool:
    """Whether this process's user namespace maps root in addition to the user."""
    return Path("/proc/self/uid_map").read_text(encoding="ascii").split()[:1] == ["0"]


def begin_network(addresses: list[str]) -> None:
    """Bring up the loopback of this network namespace, with these addresses in addition to 127.0.0.0/8."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
        request = struct.pack("16sh14x", b"lo", 0)
        flags = struct.unpack("16sh14x", fcntl.ioctl(control, _GET_FLAGS, request))[1]
        fcntl.ioctl(control, _SET_FLAGS, struct.pack("16sh14x", b"lo", flags | _UP))
        for number, address in enumerate(sorted(addresses)):
            name = f"lo:{number}".encode()
            for code, value in ((_SET_ADDRESS, address), (_SET_NETMASK, "255.255.255.255")):
                sent = struct.pack("16sHH4s8x", name, socket.AF_INET, 0, socket.inet_aton(value))
                fcntl.ioctl(control, code, sent)


def _write(pid: int, name: str, text: str) -> None:
    (Path("/proc") / str(pid) / name).write_text(text, encoding="ascii")


def _check(done: int, what: str) -> None:
    if done < 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")
