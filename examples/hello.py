"""Chief and workers meet and add up a number; the evaluator looks at each checkpoint beside them.

rankhammer experiment run hello --local
rankhammer experiment run hello --env=prod
"""

from __future__ import annotations

import os
import socket
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rankhammer.experiments import TaskContext

STEPS = 5


def hello(context: TaskContext) -> None:
    """Run in every role; the context says which one this is."""
    if context.role == "evaluator":
        evaluate(context)
    else:
        train(context)


def train(context: TaskContext) -> None:
    """Take some steps: in each the chief adds up what the others have sent."""
    first = (context.checkpoints.latest() or 0) + 1
    peers = Peers(context)
    for step in range(first, int(context.arguments.get("steps", STEPS)) + 1):
        total = peers.add_up(step * (context.rank + 1))
        if context.is_chief:
            context.metrics.log(step, total=total)
            context.checkpoints.save(step, str(total).encode())
        time.sleep(float(context.arguments.get("pause_s", 0)))


def evaluate(context: TaskContext) -> None:
    """Look at each checkpoint; ends with training."""
    for step in context.new_checkpoints():
        context.metrics.log(step, seen=float(context.checkpoints.read(step)))


class Peers:
    """The simplest all-reduce: each sends a number to the chief, and gets the sum of all back."""

    def __init__(self, context: TaskContext) -> None:
        port = int(os.environ["MASTER_PORT"])
        self.is_chief = context.is_chief
        if self.is_chief:
            with socket.create_server(("", port)) as server:
                self.lines = [server.accept()[0].makefile("rw") for _ in range(context.world_size - 1)]
        else:
            self.lines = [_connected((os.environ["MASTER_ADDR"], port)).makefile("rw")]

    def add_up(self, value: int) -> int:
        """Return the sum of everybody's values."""
        if not self.is_chief:
            self._send(value)
            return int(self.lines[0].readline())
        total = value + sum(int(line.readline()) for line in self.lines)
        self._send(total)
        return total

    def _send(self, value: int) -> None:
        for line in self.lines:
            line.write(f"{value}\n")
            line.flush()


def _connected(address: tuple[str, int], tries: int = 600) -> socket.socket:
    for _ in range(tries):
        try:
            return socket.create_connection(address)
        except ConnectionRefusedError:
            time.sleep(0.05)
    raise TimeoutError(f"Nobody listens at {address}")
