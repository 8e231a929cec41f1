"""Run a command that may open TCP connections to some ports alone, as Hugging Face has it for Spaces.

    python fence.py 80,443,8080 python app.py

The kernel refuses the others (Landlock, Linux 6.7 or newer), to every address, 127.0.0.1 too; for Python, for what is
written in C, and for whatever the command starts. It takes no rights, so root and anybody else can use it.
"""

import ctypes
import os
import sys

CREATE_RULESET, ADD_RULE, RESTRICT_SELF = 444, 445, 446  # the same numbers on every architecture
VERSION_OF, PORT_RULE, CONNECT_TCP, NO_NEW_PRIVILEGES = 1, 2, 2, 38
NET_SINCE = 4  # the version of Landlock that came to know ports

kernel = ctypes.CDLL(None, use_errno=True)


class Ruleset(ctypes.Structure):
    _fields_ = (("files", ctypes.c_uint64), ("net", ctypes.c_uint64))


class Port(ctypes.Structure):
    _fields_ = (("allowed", ctypes.c_uint64), ("port", ctypes.c_uint64))


def can_fence():
    """Return whether this kernel can refuse ports."""
    return sys.platform == "linux" and kernel.syscall(CREATE_RULESET, None, 0, VERSION_OF) >= NET_SINCE


def fence(ports):
    """Refuse this process, for good, every TCP connection to another port."""
    ruleset = Ruleset(0, CONNECT_TCP)
    handle = _done(kernel.syscall(CREATE_RULESET, ctypes.byref(ruleset), ctypes.sizeof(ruleset), 0))
    for port in ports:
        rule = Port(CONNECT_TCP, port)
        _done(kernel.syscall(ADD_RULE, handle, PORT_RULE, ctypes.byref(rule), 0))
    _done(kernel.prctl(NO_NEW_PRIVILEGES, 1, 0, 0, 0))
    _done(kernel.syscall(RESTRICT_SELF, handle, 0))
    os.close(handle)


def _done(answer):
    if answer < 0:
        raise OSError(ctypes.get_errno(), f"no fence: {os.strerror(ctypes.get_errno())}")
    return answer


if __name__ == "__main__":
    fence(map(int, sys.argv[1].split(",")))
    os.execvp(sys.argv[2], sys.argv[2:])
