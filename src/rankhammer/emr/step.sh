#!/bin/bash
# Runs one job on the primary node: fetches what it needs, keeps its log on S3 while it runs, and says how it ended.
# Arguments: FOLDER, URI of the launch's folder, seconds that the job may take, pause between two parts of the log,
# NAME=URI for each file (an archive is unpacked in a folder NAME), then -- and the command.
set -uo pipefail
home=$1 launch=$2 limit=$3 pause=$4
shift 4
work=$home/jobs/${launch##*/}
mkdir -p "$work/.step" && cd "$work" || exit 1
log=$work/.step/log sent=0 part=0
: >"$log"

put() { aws s3 cp --only-show-errors "$1" "$launch/$2"; }

ship() { # what the log has more than was sent, as the next part
  local size
  size=$(stat -c %s "$log")
  [ "$size" -gt "$sent" ] || return 0
  tail -c "+$((sent + 1))" "$log" | head -c "$((size - sent))" >"$log.part"
  put "$log.part" "log/$(printf %06d $((part + 1)))" && part=$((part + 1)) sent=$size
}

end() { # exit code
  ship
  printf '{"exit_code": %d, "seconds": %d}\n' "$1" "$SECONDS" >"$work/.step/outcome"
  put "$work/.step/outcome" outcome.json
  exit "$1"
}

fetch() { # NAME=URI
  local name=${1%%=*} uri=${1#*=}
  case $uri in
    *.tar.gz | *.whl | *.zip)
      aws s3 cp --only-show-errors "$uri" "$work/.step/${uri##*/}" && mkdir -p "$name" || return 1
      case $uri in
        *.tar.gz) tar -xzf "$work/.step/${uri##*/}" -C "$name" ;;
        *) python3 -m zipfile -e "$work/.step/${uri##*/}" "$name" ;;
      esac ;;
    *) aws s3 cp --only-show-errors "$uri" "$name" ;;
  esac
}

while [ "$1" != -- ]; do
  fetch "$1" >>"$log" 2>&1 || { echo "$1 could not be fetched" >>"$log"; end 1; }
  shift
done
shift
[ ! -d /etc/hadoop/conf ] || export HADOOP_CONF_DIR=/etc/hadoop/conf
export PYTHONPATH=$work/app${PYTHONPATH:+:$PYTHONPATH} PYTHONUNBUFFERED=1

timeout --signal=TERM --kill-after=60 "$limit" "$@" >>"$log" 2>&1 </dev/null &
job=$!
trap 'kill -TERM $job 2>/dev/null' TERM INT
while kill -0 $job 2>/dev/null; do
  # A pause beside the job, never behind it: it ends with the job.
  sleep "$pause" &
  pauser=$!
  wait -n $job $pauser
  kill $pauser 2>/dev/null
  ship
done
wait $job
code=$?
[ "$code" -ne 124 ] || echo "ended after $limit s, the ttl_h of its launch" >>"$log"
end "$code"
