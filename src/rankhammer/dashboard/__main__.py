"""Serves pages: `python -m rankhammer.dashboard N`, where file descriptor N holds the settings."""

from __future__ import annotations

import sys

from rankhammer.dashboard import server
from rankhammer.errors import RankhammerError
from rankhammer.exit_codes import DONE, USER_ERROR


def main() -> int:
    """Serve until the process is told to end; return the exit code."""
    server.leave_out_large_libraries()
    try:
        site = server.make_site(server.read(int(sys.argv[1])))
        server.serve(site, announce=lambda address: sys.stderr.write(f"Dashboard: {address}\n"))
    except RankhammerError as exc:
        sys.stderr.write(f"Error: {exc}\n")
        return USER_ERROR
    except KeyboardInterrupt:
        pass
    return DONE


sys.exit(main())
