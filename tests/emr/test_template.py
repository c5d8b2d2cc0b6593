"""The template of `rankhammer emr setup`, as CloudFormation's own linter reads it."""

from __future__ import annotations

import json
import re

import pytest
from fake_aws.requests import require_valid

from rankhammer.emr.settings import read_settings
from rankhammer.emr.template import template


@pytest.fixture(scope="module")
def made():
    return template(read_settings({"region": "eu-west-1", "bucket": "rankers"}))


@pytest.mark.emr
@pytest.mark.budget("emr")
def test_the_template_has_no_fault(made):
    from cfnlint.api import lint_all

    found = lint_all(json.dumps(made))
    assert [fault for fault in found if fault.rule.severity in ("error", "warning")] == []


def test_nobody_comes_in_from_outside_and_nothing_of_it_runs(made):
    kinds = [resource["Type"] for resource in made["Resources"].values()]
    assert not [kind for kind in kinds if re.search("Ingress|::Instance$|NatGateway|EMR::Cluster", kind)]
    groups = [made["Resources"][name]["Properties"] for name in ("PrimaryGroup", "OtherGroup")]
    assert all("SecurityGroupIngress" not in group for group in groups)


def test_the_bucket_is_private_encrypted_and_outlives_the_stack(made):
    bucket = made["Resources"]["Bucket"]
    assert bucket["DeletionPolicy"] == "Retain"
    assert all(bucket["Properties"]["PublicAccessBlockConfiguration"].values())
    (rule,) = bucket["Properties"]["LifecycleConfiguration"]["Rules"]
    assert rule["AbortIncompleteMultipartUpload"] == {"DaysAfterInitiation": 3}
    policy = made["Resources"]["OnlyTls"]["Properties"]["PolicyDocument"]["Statement"][0]
    assert (policy["Effect"], policy["Condition"]) == ("Deny", {"Bool": {"aws:SecureTransport": "false"}})


def test_cloudformation_takes_the_request(made):
    body = json.dumps(made)
    assert len(body) < 51_200
    require_valid("cloudformation", "CreateStack", {"StackName": "rankhammer-emr", "TemplateBody": body})
