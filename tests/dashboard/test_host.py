"""The instance that keeps the dashboard: who may come in, what it may read, and what its first boot does."""

from __future__ import annotations

import json
import subprocess
from dataclasses import replace

import pytest

pytest.importorskip("moto")

import boto3
import moto

from rankhammer.dashboard.host import Host, HostFiles, boot_script, monthly, template
from rankhammer.emr import prices, stack
from rankhammer.errors import ConfigError

HOST = Host("emr", ("203.0.113.0/24",), "ranking.example.org", "rankhammer/certificate", "t3.small", "eu-west-1")
FILES = HostFiles(
    "s3://rankers/a/x-0.1-py3-none-any-0123.whl", "s3://rankers/a/conf-0123.tar.gz", "s3://rankers/a/env-1.tar.gz"
)


def made(host=HOST):
    return template(host, boot_script(host, FILES, '{"hashed": "x"}'), ["rankers"])


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"networks": ()}, "No network is named"),
        ({"networks": ("0.0.0.0/0",)}, "lets the whole world in"),
        ({"networks": ("::/0",)}, "lets the whole world in"),
        ({"networks": ("128.0.0.0/1",)}, "lets the whole world in"),
        ({"networks": ("203.0.113.7/24",)}, "is no network"),
        ({"networks": ("office",)}, "is no network"),
        ({"name": "localhost"}, "is no host name"),
        ({"secret": "a b; rm"}, "is no name of a secret"),
    ],
)
def test_what_would_open_it_is_refused(change, words):
    with pytest.raises(ConfigError, match=words):
        replace(HOST, **change)


def test_one_port_is_open_to_named_networks_and_metadata_need_a_token():
    host = replace(HOST, networks=("203.0.113.0/24", "2001:db8::/48"))
    parts = made(host)["Resources"]
    rules = parts["Group"]["Properties"]["SecurityGroupIngress"]
    assert [(rule["FromPort"], rule["ToPort"]) for rule in rules] == [(443, 443), (443, 443)]
    assert [rule.get("CidrIp") or rule["CidrIpv6"] for rule in rules] == list(host.networks)
    (instance,) = [part for part in parts.values() if part["Type"] == "AWS::EC2::Instance"]
    assert instance["Properties"]["MetadataOptions"]["HttpTokens"] == "required"
    assert instance["Properties"]["BlockDeviceMappings"][0]["Ebs"]["Encrypted"] is True


def test_its_role_reads_the_results_and_its_own_certificate():
    statements = made()["Resources"]["Role"]["Properties"]["Policies"][0]["PolicyDocument"]["Statement"]
    actions = [
        action
        for one in statements
        for action in ([one["Action"]] if isinstance(one["Action"], str) else one["Action"])
    ]
    assert actions == ["s3:ListBucket", "s3:GetBucketLocation", "s3:GetObject", "secretsmanager:GetSecretValue"]
    assert statements[-1]["Resource"]["Fn::Sub"].endswith(":secret:rankhammer/certificate-??????")


def test_the_first_boot_is_a_script_that_bash_reads_and_holds_no_token():
    script = boot_script(HOST, FILES, '{"it\'s": "quoted"}')
    assert subprocess.run(["bash", "-n"], input=script, text=True, capture_output=True, check=False).stderr == ""
    assert '"key"' not in script.split("set -euo")[0]
    assert "ExecStartPre=+/opt/rankhammer/certificate" in script
    assert "--tls-cert /var/lib/rankhammer-dashboard/tls/chain.pem" in script
    with pytest.raises(ConfigError, match="16 KB"):
        boot_script(HOST, FILES, "x" * 20_000)


def test_another_release_is_another_instance_at_the_same_address():
    before, after = made(), template(HOST, boot_script(HOST, replace(FILES, wheel="s3://rankers/b"), "{}"), ["rankers"])
    names = [{name for name in one["Resources"] if name.startswith("Host")} for one in (before, after)]
    assert names[0] != names[1]
    assert before["Resources"]["Address"] == after["Resources"]["Address"]


def test_the_price_is_that_of_instance_address_and_disk():
    table = prices.read_prices(None)
    expected = 730 * (1.12 * 0.0208 + 0.005) + 12 * 1.12 * 0.08
    assert monthly(HOST, table.hosts, table.factor("eu-west-1")) == pytest.approx(expected)
    with pytest.raises(ConfigError, match="not known"):
        monthly(replace(HOST, instance_type="p5.48xlarge"), table.hosts, 1)


@pytest.mark.emr
@pytest.mark.budget("emr")
def test_the_template_has_no_fault():
    from cfnlint.api import lint_all

    found = lint_all(json.dumps(made()))
    assert [str(fault) for fault in found if fault.rule.severity in ("error", "warning")] == []


@pytest.mark.emr
@pytest.mark.budget("emr")
@pytest.mark.filterwarnings("ignore:Tried to parse AWS..EC2..EIPAssociation")
def test_an_emulator_makes_updates_and_removes_it(monkeypatch):
    for name, value in {"AWS_ACCESS_KEY_ID": "made", "AWS_SECRET_ACCESS_KEY": "up"}.items():
        monkeypatch.setenv(name, value)
    with moto.mock_aws():
        client, ec2 = (boto3.client(name, region_name="eu-west-1") for name in ("cloudformation", "ec2"))
        subnet = ec2.describe_subnets()["Subnets"][0]
        given = {"Vpc": subnet["VpcId"], "Subnet": subnet["SubnetId"]}
        asked = ("rankhammer-dashboard-emr", json.dumps(made()), given, "me")
        done, outputs = stack.put(client, *asked, poll_s=0.01)
        assert done == "created"
        first = outputs["Instance"]
        newer = template(HOST, boot_script(HOST, replace(FILES, wheel="s3://rankers/b"), "{}"), ["rankers"])
        done, outputs = stack.put(client, asked[0], json.dumps(newer), given, "me", poll_s=0.01)
        assert done == "updated"
        assert outputs["Instance"] != first
        states = {
            i["InstanceId"]: i["State"]["Name"]
            for r in ec2.describe_instances()["Reservations"]
            for i in r["Instances"]
        }
        assert states == {first: "terminated", outputs["Instance"]: "running"}
