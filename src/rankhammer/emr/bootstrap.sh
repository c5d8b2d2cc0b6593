#!/bin/bash
# Runs on every node before Spark starts: puts the locked Python environment there, and jars beside Spark's own.
# Arguments: FOLDER, then NAME=URI for each archive. A URI carries the first 16 digits of the file's SHA-256.
set -euo pipefail
home=$1
shift
mkdir -p "$home" 2>/dev/null || { sudo mkdir -p "$home" && sudo chown "$(id -u):$(id -g)" "$home"; }
for pair in "$@"; do
  name=${pair%%=*} uri=${pair#*=}
  file=$home/${uri##*/}
  aws s3 cp --only-show-errors "$uri" "$file"
  case ${uri##*/} in
    env-*) ;; # named by what it is made of
    *) [[ ${uri##*/} == *-$(sha256sum "$file" | cut -c1-16).tar.gz ]] || { echo "$uri is not what its name says" >&2; exit 1; } ;;
  esac
  rm -rf "$home/.$name" && mkdir "$home/.$name" && tar -xzf "$file" -C "$home/.$name"
  rm -rf "${home:?}/$name" "$file" && mv "$home/.$name" "$home/$name"
done
if [ -d "$home/env" ]; then
  sh "$home/env/check" quick
  [ ! -d "$home/jars" ] || cp "$home"/jars/* "$home"/env/lib/python3*/site-packages/pyspark/jars/
fi
