"""Denies a Python process every address but its own machine's, and notes who asked.

Python imports a module of this name by itself when its directory is in PYTHONPATH, in
every process that a command starts. The file that OFFLINE_LOG names gets a line for
each attempt, so that one that is caught and forgotten is seen as well.
"""

import os
import sys

#: Where in the arguments of the event stands whom the process wants to reach.
_PLACES = {
    "socket.connect": 1,
    "socket.sendto": 1,
    "socket.sendmsg": 1,
    "socket.getaddrinfo": 0,
    "socket.gethostbyname": 0,
    "socket.gethostbyaddr": 0,
}
_OWN = ("127.", "::1", "localhost")


def _deny(event: str, arguments: tuple) -> None:
    if event not in _PLACES:
        return
    address = arguments[_PLACES[event]]
    # a text is a name, or the path of a socket in the file system
    is_path = event in {"socket.connect", "socket.sendto", "socket.sendmsg"} and (
        not isinstance(address, tuple)
    )
    host = address[0] if isinstance(address, tuple) else address
    if isinstance(host, bytes):
        host = host.decode()
    if is_path or not host or str(host).startswith(_OWN):
        return
    with open(os.environ["OFFLINE_LOG"], "a", encoding="utf-8") as log:
        log.write(f"{event} {host} {' '.join(sys.argv[:3])}\n")
    raise OSError(f"no network: {event} {host}")


if "OFFLINE_LOG" in os.environ:
    sys.addaudithook(_deny)
