"""Spark's own codecs compress files: `python recompress.py FOLDER FILE...` writes FOLDER/FILE.CODEC of each."""

from __future__ import annotations

import sys
from pathlib import Path

from pyspark.java_gateway import launch_gateway

CODECS = ("lz4", "snappy", "zstd")


def main() -> None:
    """Compress each file with each codec."""
    gateway = launch_gateway()
    jvm = gateway.jvm
    conf = jvm.org.apache.spark.SparkConf(False)
    folder, *files = sys.argv[1:]
    for name in CODECS:
        codec = jvm.org.apache.spark.io.CompressionCodec.createCodec(conf, name)
        for file in files:
            target = str(Path(folder) / f"{Path(file).name}.{name}")
            out = codec.compressedOutputStream(jvm.java.io.FileOutputStream(target))
            jvm.java.nio.file.Files.copy(jvm.java.nio.file.Paths.get(file, gateway.new_array(jvm.String, 0)), out)
            out.close()
    gateway.shutdown()


if __name__ == "__main__":
    main()
