"""Event logs of Spark 2.1 to 4.x, read as a stream without a JVM."""

from rankhammer_doctor.event_log.reader import read_run
from rankhammer_doctor.event_log.run import Run

__all__ = ["Run", "read_run"]
