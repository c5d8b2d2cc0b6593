"""Rules about a run that has happened: D1 to D27."""

from rankhammer_doctor.dynamic_rules.check import check_run

__all__ = ["check_run"]
