#!/bin/sh
# What Spark starts as Python: a machine that cannot run it says why, instead of the loader's riddle.
here=$(dirname "$0")
sh "$here/check" quick >&2 || exit 2
exec "$here/bin/python3" "$@"
