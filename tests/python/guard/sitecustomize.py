"""Deny a Python process every socket but those within the machine, and unpickling.

Python runs this file at its start if this folder is on PYTHONPATH. Each attempt is
written to the file that GUARD_LOG names before it is denied, so that one which the
program survives is seen too. GUARD_PICKLE=deny forbids unpickling as well.
"""

import os
import sys

LOOPBACK = ("127.", "::1", "localhost")


def _deny(text: str) -> None:
    with open(os.environ["GUARD_LOG"], "a", encoding="utf-8") as log:
        log.write(f"{text}: {' '.join(sys.argv)[:200]}\n")
    raise PermissionError(f"denied by the test: {text}")


def _is_local(host: object) -> bool:
    return host is None or str(host).startswith(LOOPBACK)


def _watch(event: str, arguments: tuple) -> None:
    if event in {"socket.connect", "socket.sendto", "socket.bind"}:
        address = arguments[1]
        # text and bytes are addresses of sockets within the machine
        if isinstance(address, tuple) and not _is_local(address[0]):
            _deny(f"{event} {address}")
    elif event in {"socket.getaddrinfo", "socket.gethostbyname"}:
        if not _is_local(arguments[0]):
            _deny(f"{event} {arguments[0]}")
    elif event == "pickle.find_class" and os.environ.get("GUARD_PICKLE") == "deny":
        _deny(f"{event} {arguments}")


if "GUARD_LOG" in os.environ:
    sys.addaudithook(_watch)
