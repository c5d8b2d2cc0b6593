"""Runs command lines one after the other in one process, whose Spark stays open and warm.

    python command_server.py

Each line of the standard input is a JSON object: `arguments` (module and arguments), `folder` to be in, and `output`,
the file that takes what is printed. The answer is a line with the exit code.
"""

from __future__ import annotations

import json
import logging
import os
import sys
import traceback


def serve() -> None:
    """Answer every line until the input ends."""
    answers = os.fdopen(os.dup(1), "w")
    for line in sys.stdin:
        request = json.loads(line)
        os.chdir(request["folder"])
        with open(request["output"], "wb") as output:
            os.dup2(output.fileno(), 1)
            os.dup2(output.fileno(), 2)
        code = run(request["arguments"])
        for stream in (sys.stdout, sys.stderr):
            stream.flush()
        answers.write(f"{code}\n")
        answers.flush()


def run(arguments: list[str]) -> int:
    """Run a command line as its own process would, and return its exit code."""
    module, sys.argv[1:] = arguments[0], arguments[1:]
    try:
        if module == "kedro":
            from kedro.framework.cli.cli import main
        else:
            from rankhammer.cli.main import main
        main()
    except SystemExit as ended:
        return ended.code if isinstance(ended.code, int) else int(ended.code is not None)
    except BaseException:  # noqa: BLE001 - as Python's own end of a process does
        traceback.print_exc()
        return 1
    finally:
        for handler in logging.getLogger().handlers:
            handler.flush()
    return 0


if __name__ == "__main__":
    serve()
