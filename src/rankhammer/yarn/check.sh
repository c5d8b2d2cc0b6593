#!/bin/sh
# Says in one line whether this machine can run the Python of this archive; exit code 0 or 1.
#   check          all of it
#   check quick    without starting Python; says nothing when all is well
#   check report   always exit code 0, and the line says the rest: for Spark's pipe, which feeds lines
python=@version@
glibc=@glibc@
machine=@machine@

here=$(cd "$(dirname "$0")" && pwd)
host=$(hostname 2>/dev/null || uname -n)
code=1
[ "$1" != report ] || { cat >/dev/null; code=0; }

refuse() {
  echo "refused $host: $1"
  exit $code
}

is_older() { # a.b than c.d
  [ "${1%%.*}" -lt "${2%%.*}" ] || { [ "${1%%.*}" -eq "${2%%.*}" ] && [ "${1#*.}" -lt "${2#*.}" ]; }
}

[ "$(uname -s)" = Linux ] || refuse "the archive is for Linux, this machine runs $(uname -s)"
[ "$(uname -m)" = "$machine" ] || refuse "the archive is for $machine, this machine is $(uname -m)"
found=$(getconf GNU_LIBC_VERSION 2>/dev/null | sed -n 's/^glibc \([0-9]*\.[0-9]*\).*/\1/p')
[ -n "$found" ] || refuse "the archive needs glibc $glibc or newer, this machine has no glibc"
! is_older "$found" "$glibc" || refuse "the archive needs glibc $glibc or newer, this machine has $found"
[ "$1" != quick ] || exit 0
said=$("$here/bin/python3" -I -c 'import ctypes, ssl, platform; print(platform.python_version())' 2>&1)
[ "$said" = "$python" ] || refuse "the archive's Python $python does not start: $(echo "$said" | tail -n 1)"
echo "ok $host: Python $python, glibc $found, $machine"
