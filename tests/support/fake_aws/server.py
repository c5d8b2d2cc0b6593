"""AWS's addresses on this machine: EMR with its life cycle, and as much of STS, IAM, EC2 and quotas as checks ask for.

Every request is checked: its signature, and its parameters against botocore's model of the service.
"""

from __future__ import annotations

import json
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl
from xml.sax.saxutils import escape

import boto3
from botocore import xform_name

from fake_aws.athena import FakeAthena
from fake_aws.emr import FakeEmr
from fake_aws.node import Node
from fake_aws.requests import RefusalError, require_signed, require_valid
from fake_aws.serverless import FakeServerless
from rankhammer.emr.artifacts import split_uri

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

ACCOUNT = "123456789012"
KEYS = {"DEVFAKE0000000000001": "made/for+this=machine/alone+0000000000000"}
USER = f"arn:aws:iam::{ACCOUNT}:user/developer"
_SERVICES = {"ElasticMapReduce": "emr", "ServiceQuotasV20190624": "service-quotas", "AmazonAthena": "athena"}


@dataclass
class Role:
    """What the account has; tests change it.

    Args:
        roles: Names of IAM roles.
        profiles: Instance profiles to the names of their roles.
        denied: Actions that the caller may not.
        quotas: Codes of EC2's quotas to vCPUs.
        groups: Security groups to the addresses that they let in.
    """

    roles: set[str] = field(default_factory=lambda: {"rankhammer-emr-service", "rankhammer-emr-node"})
    profiles: dict[str, str] = field(default_factory=lambda: {"rankhammer-emr-node": "rankhammer-emr-node"})
    denied: set[str] = field(default_factory=set)
    quotas: dict[str, float] = field(default_factory=lambda: {"L-1216C47A": 64.0, "L-34B43A08": 64.0})
    groups: dict[str, str] = field(default_factory=dict)


class FakeAws:
    """The addresses on a free port; use as a context manager.

    Args:
        folder: Of the node's commands and its log.
        s3_url: Address of the real S3 server.
        s3_keys: Variables with its keys.
        environ: Further variables of nodes.
        tick_s: Seconds that a cluster stays in a state at least.
    """

    def __init__(
        self,
        folder: Path,
        s3_url: str,
        s3_keys: dict[str, str],
        *,
        environ: dict[str, str] | None = None,
        tick_s: float = 0.05,
    ) -> None:
        self.account, self.athena = Role(), FakeAthena()
        self.throttled, self.lost_answers = 0, 0
        self.asked: list[str] = []
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
        self._server.aws = self
        self._server.daemon_threads = True
        self._s3 = boto3.client(
            "s3",
            endpoint_url=s3_url,
            aws_access_key_id=s3_keys["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=s3_keys["AWS_SECRET_ACCESS_KEY"],
            region_name="us-east-1",
        )
        node = Node(folder, self.port, {**s3_keys, **(environ or {})})
        self.emr = FakeEmr(node, tick_s=tick_s)
        self.node, self._s3_url, self._s3_keys = node, s3_url, s3_keys
        self.serverless = FakeServerless(node, self._put)

    @property
    def port(self) -> int:
        return self._server.server_address[1]

    @property
    def environ(self) -> dict[str, str]:
        """Variables of one who launches: the same keys everywhere, as with AWS."""
        url = f"http://127.0.0.1:{self.port}"
        return {"AWS_ENDPOINT_URL": url, "AWS_ENDPOINT_URL_S3": self._s3_url, **self._s3_keys}

    def __enter__(self) -> FakeAws:
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.emr.end()
        self.serverless.end()
        self._server.shutdown()
        self._server.server_close()

    def copy(self, source: str, target: str) -> None:
        """Do what a node's `aws s3 cp` asks for."""
        if source.startswith("s3://"):
            self._s3.download_file(*split_uri(source), target)
        else:
            self._s3.upload_file(source, *split_uri(target))

    def _put(self, uri: str, content: bytes) -> None:
        bucket, key = split_uri(uri)
        self._s3.put_object(Bucket=bucket, Key=key, Body=content)

    def answer(self, method: str, headers: dict[str, str], path: str, body: bytes) -> tuple[int, str, str]:
        """Return status, type and text; status 0: the answer is lost."""
        require_signed(
            {self._s3_keys["AWS_ACCESS_KEY_ID"]: self._s3_keys["AWS_SECRET_ACCESS_KEY"]},
            method,
            f"http://{headers['host']}{path}",
            headers,
            body,
        )
        if path.startswith("/applications"):
            return 200, "application/json", json.dumps(self.serverless.answer(method, path, body))
        target = headers.get("x-amz-target")
        return self._json(target, json.loads(body or b"{}")) if target else self._query(dict(parse_qsl(body.decode())))

    def _json(self, target: str, asked: dict) -> tuple[int, str, str]:
        prefix, _, operation = target.partition(".")
        self.asked.append(operation)
        if self.throttled:
            self.throttled -= 1
            raise RefusalError("ThrottlingException", "Rate exceeded")
        require_valid(_SERVICES[prefix], operation, asked)
        if f"elasticmapreduce:{operation}" in self.account.denied:
            raise RefusalError("AccessDeniedException", f"User: {USER} is not authorized to perform: {operation}")
        service = self.athena if prefix == "AmazonAthena" else self.emr
        act = self._quota if operation == "GetServiceQuota" else getattr(service, xform_name(operation))
        found = json.dumps(act(asked))
        if operation == "RunJobFlow" and self.lost_answers:
            self.lost_answers -= 1
            return 0, "", ""
        return 200, "application/x-amz-json-1.1", found

    def _quota(self, asked: dict) -> dict:
        return {"Quota": {"QuotaCode": asked["QuotaCode"], "Value": self.account.quotas[asked["QuotaCode"]]}}

    def _query(self, asked: dict[str, str]) -> tuple[int, str, str]:
        self.asked.append(asked["Action"])
        content = getattr(self, f"_{xform_name(asked['Action'])}")(asked)
        name = asked["Action"]
        # EC2 has no element around the result.
        inner = content if name.startswith("Describe") else f"<{name}Result>{content}</{name}Result>"
        return 200, "text/xml", f"<{name}Response>{inner}</{name}Response>"

    def _get_caller_identity(self, _asked: dict) -> str:
        return f"<Arn>{USER}</Arn><UserId>AIDA</UserId><Account>{ACCOUNT}</Account>"

    def _get_role(self, asked: dict) -> str:
        name = asked["RoleName"]
        if name not in self.account.roles:
            raise RefusalError("NoSuchEntity", f"The role with name {name} cannot be found.", 404)
        return f"<Role>{_role(name)}</Role>"

    def _get_instance_profile(self, asked: dict) -> str:
        name = asked["InstanceProfileName"]
        if name not in self.account.profiles:
            raise RefusalError("NoSuchEntity", f"Instance Profile {name} cannot be found.", 404)
        role = self.account.profiles[name]
        roles = f"<Roles><member>{_role(role)}</member></Roles>" if role else "<Roles/>"
        return f"<InstanceProfile><InstanceProfileName>{name}</InstanceProfileName>{roles}</InstanceProfile>"

    def _simulate_principal_policy(self, asked: dict) -> str:
        if "iam:SimulatePrincipalPolicy" in self.account.denied:
            raise RefusalError("AccessDenied", "not authorized to perform: iam:SimulatePrincipalPolicy", 403)
        actions = [value for key, value in asked.items() if key.startswith("ActionNames.member.")]
        results = "".join(
            f"<member><EvalActionName>{name}</EvalActionName>"
            f"<EvalDecision>{'implicitDeny' if name in self.account.denied else 'allowed'}</EvalDecision></member>"
            for name in actions
        )
        return f"<EvaluationResults>{results}</EvaluationResults><IsTruncated>false</IsTruncated>"

    def _describe_subnets(self, asked: dict) -> str:
        items = (f"<item><subnetId>{name}</subnetId></item>" for name in _listed(asked, "SubnetId"))
        return f"<subnetSet>{''.join(items)}</subnetSet>"

    def _describe_security_groups(self, asked: dict) -> str:
        items = []
        for name in _listed(asked, "GroupId"):
            if name not in self.account.groups:
                raise RefusalError("InvalidGroup.NotFound", f"The security group '{name}' does not exist")
            ranges = f"<ipRanges><item><cidrIp>{self.account.groups[name]}</cidrIp></item></ipRanges>"
            rule = f"<item><ipProtocol>tcp</ipProtocol><fromPort>22</fromPort><toPort>22</toPort>{ranges}</item>"
            items.append(f"<item><groupId>{name}</groupId><ipPermissions>{rule}</ipPermissions></item>")
        return f"<securityGroupInfo>{''.join(items)}</securityGroupInfo>"


def _listed(asked: dict[str, str], name: str) -> Iterator[str]:
    return (value for key, value in asked.items() if key.startswith(f"{name}."))


def _role(name: str) -> str:
    arn = f"<Arn>arn:aws:iam::{ACCOUNT}:role/{name}</Arn>"
    return f"<RoleName>{name}</RoleName>{arn}<Path>/</Path><CreateDate>2026-01-01T00:00:00Z</CreateDate>"


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        self._answer("POST")

    def do_GET(self) -> None:
        self._answer("GET")

    def do_DELETE(self) -> None:
        self._answer("DELETE")

    def _answer(self, method: str) -> None:
        body = self.rfile.read(int(self.headers.get("content-length", 0)))
        aws = self.server.aws
        if self.path == "/node/cp":
            self._send(*_copied(aws, json.loads(body)))
            return
        headers = {name.lower(): value for name, value in self.headers.items()}
        try:
            status, kind, text = aws.answer(method, headers, self.path, body)
        except RefusalError as exc:
            is_json = "x-amz-target" in headers or self.path.startswith("/applications")
            status, kind, text = exc.status, *_refused(exc, is_json=is_json)
        if not status:
            self.close_connection = True
            return
        self._send(status, kind, text)

    def _send(self, status: int, kind: str, text: str) -> None:
        content = text.encode()
        self.send_response(status)
        self.send_header("content-type", kind)
        self.send_header("content-length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        """Keep quiet."""


def _copied(aws: FakeAws, asked: list[str]) -> tuple[int, str, str]:
    try:
        aws.copy(*asked)
    except Exception as exc:  # noqa: BLE001 - whatever fails is told to who copies
        return 400, "text/plain", f"fatal error: {exc}"
    return 200, "text/plain", ""


def _refused(error: RefusalError, *, is_json: bool) -> tuple[str, str]:
    if is_json:
        return "application/x-amz-json-1.1", json.dumps({"__type": error.code, "message": error.message})
    inner = f"<Error><Code>{error.code}</Code><Message>{escape(error.message)}</Message></Error>"
    # EC2's errors have another shape than those of IAM and STS.
    text = (
        f"<Response><Errors>{inner}</Errors></Response>"
        if error.code.startswith("Invalid")
        else f"<ErrorResponse>{inner}</ErrorResponse>"
    )
    return "text/xml", text
