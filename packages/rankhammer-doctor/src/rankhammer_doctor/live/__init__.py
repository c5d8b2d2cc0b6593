"""A run in progress, seen through Spark's own REST interface: rules L1 to L6."""

from rankhammer_doctor.live.check import live_findings
from rankhammer_doctor.live.looks import Look, look_twice

__all__ = ["Look", "live_findings", "look_twice"]
