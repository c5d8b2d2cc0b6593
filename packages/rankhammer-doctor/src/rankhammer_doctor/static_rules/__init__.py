"""Rules about a configuration that has not run yet: S1 to S26."""

from rankhammer_doctor.static_rules.check import check_conf

__all__ = ["check_conf"]
