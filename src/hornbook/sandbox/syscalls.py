"""A seccomp filter: no process of the sandbox looks into another one or into the kernel.

Source: Linux, Documentation/userspace-api/seccomp_filter.rst; numbers from the kernel's tables.
"""

import platform
import struct

_RETURN, _LOAD, _EQUAL, _ATLEAST = 0x06, 0x20, 0x15, 0x35
_ALLOW, _KILL, _EPERM = 0x7FFF0000, 0x80000000, 0x00050001
_AUDIT = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
# ptrace, process_vm_readv, process_vm_writev, pidfd_getfd, kcmp, keyctl, add_key, request_key,
# bpf, userfaultfd, perf_event_open
_DENIED = {
    "x86_64": (101, 310, 311, 438, 312, 250, 248, 249, 321, 323, 298),
    "aarch64": (117, 270, 271, 438, 272, 219, 217, 218, 280, 282, 241),
}
_X32 = 0x40000000  # x86_64's numbers in another guise start here


def filter_program() -> bytes | None:
    """The filter in the form `bwrap --seccomp` reads; None on a processor that has no table."""
    machine = platform.machine()
    if machine not in _DENIED:
        return None
    denied = _DENIED[machine]
    lines = [
        (_LOAD, 0, 0, 4),  # the architecture of the call
        (_EQUAL, 1, 0, _AUDIT[machine]),
        (_RETURN, 0, 0, _KILL),
        (_LOAD, 0, 0, 0),  # its number
        (_ATLEAST, len(denied) + 1, 0, _X32),
        *((_EQUAL, len(denied) - place, 0, number) for place, number in enumerate(denied)),
        (_RETURN, 0, 0, _ALLOW),
        (_RETURN, 0, 0, _EPERM),
    ]
    return b"".join(struct.pack("=HBBI", *line) for line in lines)
