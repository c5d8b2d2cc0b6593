"""Which networks are the whole world."""

from __future__ import annotations

import pytest

from rankhammer.emr.networks import is_the_world


@pytest.mark.parametrize("network", ["0.0.0.0/0", "::/0", "0.0.0.0/1", "128.0.0.0/1", "2000::/3", "1.2.3.4/0"])
def test_halves_of_the_world_are_the_world(network):
    assert is_the_world(network)


@pytest.mark.parametrize("network", ["10.0.0.0/8", "203.0.113.7/32", "2001:db8::/32"])
def test_a_network_that_somebody_has_is_not(network):
    assert not is_the_world(network)
