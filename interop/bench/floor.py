"""The least that any server must spend: the same octets from a file to every client, by the kernel alone.

What a benchmark measures with this server is its own clients: a real server that comes close cannot be told apart.
"""

from __future__ import annotations

import os
import socket
import sys
from pathlib import Path
from threading import Thread

QUERY = 8


def serve(port: int, file: Path) -> None:
    """Answer every query on the port with the contents of the file, for ever."""
    size = file.stat().st_size
    descriptor = os.open(file, os.O_RDONLY)
    with socket.create_server(("127.0.0.1", port), backlog=128) as listening:
        while True:
            connection, _ = listening.accept()
            Thread(target=_answer, args=(connection, descriptor, size), daemon=True).start()


def _answer(connection: socket.socket, descriptor: int, size: int) -> None:
    with connection:
        while len(connection.recv(QUERY)) == QUERY:
            sent = 0
            while sent < size:
                sent += os.sendfile(connection.fileno(), descriptor, sent, size - sent)


if __name__ == "__main__":
    serve(int(sys.argv[1]), Path(sys.argv[2]))
