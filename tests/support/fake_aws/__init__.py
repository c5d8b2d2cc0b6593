"""A control plane of EMR on this machine, which really runs what it is asked to run; see `server`."""

from fake_aws.emr import FakeEmr
from fake_aws.server import FakeAws, Role

__all__ = ["FakeAws", "FakeEmr", "Role"]
