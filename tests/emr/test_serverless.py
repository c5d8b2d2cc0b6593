"""One job on EMR Serverless: each way that it ends, and no application left."""

from __future__ import annotations

import os
import signal

import pytest
from launching import SLOW, wait_for, write
from moto.server import ThreadedMotoServer

pytestmark = [pytest.mark.emr, pytest.mark.budget("emr")]


@pytest.fixture(autouse=True)
def _role(site):
    site.aws.account.roles.add("rankhammer-emr-serverless")


def the_job(site):
    (found,) = site.aws.serverless.applications.values()
    return next(iter(found["jobs"].values()), None)


def runs(site):
    return bool(site.aws.serverless.applications) and the_job(site) is not None


def test_a_script_runs_is_priced_and_its_application_is_deleted(site):
    code, said = site.run("launch", "--serverless", "--script", write(site), "--", "7")
    assert code == 0, said + site.aws.node.log()
    assert "| counted 42" in said
    # 0.5 vCPU hours and 2 GB hours.
    assert f"Cost: {0.5 * 0.052624 + 2 * 0.0057785:.2f} $" in said
    assert "at most 2." in said
    assert (len(site.aws.serverless.deleted), site.aws.serverless.applications) == (1, {})


def test_a_job_that_fails_or_is_cancelled_has_its_exit_code(site):
    code, said = site.run("launch", "--serverless", "--script", write(site, "raise SystemExit('no log today')"))
    assert code == 7, said
    assert "ExitCode: 1" in said
    assert "| no log today" in said
    process = site.start("launch", "--serverless", "--script", write(site, SLOW))
    wait_for(lambda: runs(site))
    job = the_job(site)
    site.aws.serverless.cancel(job["applicationId"], job["jobRunId"])
    said, _ = process.communicate(timeout=120)
    assert process.returncode == 10, said
    assert site.aws.serverless.applications == {}


def test_ctrl_c_ends_job_and_application(site):
    process = site.start("launch", "--serverless", "--script", write(site, SLOW))
    wait_for(lambda: runs(site))
    process.send_signal(signal.SIGINT)
    said, _ = process.communicate(timeout=120)
    assert process.returncode == 130, said
    assert site.aws.serverless.applications == {}


def test_what_a_lost_laptop_leaves_ends_by_itself_is_listed_and_removed(site):
    process = site.start("launch", "--serverless", "--script", write(site, SLOW))
    wait_for(lambda: runs(site))
    os.kill(process.pid, signal.SIGKILL)
    process.communicate()
    job, (application,) = the_job(site), site.aws.serverless.applications.values()
    assert job["asked"]["executionTimeoutMinutes"] == 120
    assert application["autoStopConfiguration"] == {"enabled": True, "idleTimeoutMinutes": 1}
    code, said = site.run("status")
    assert code == 0, said
    assert application["applicationId"] in said
    code, said = site.run("destroy", "--all-clusters", "--yes")
    assert code == 0, said
    assert site.aws.serverless.applications == {}


def test_what_serverless_cannot_do_is_refused_before_anything_is_made(site):
    script = write(site)
    for arguments, change, words in (
        (("--pipeline=train",), {}, "needs the Spark of the lock file"),
        (("--script", script, "--keep-alive", "1"), {}, "no cluster that could wait"),
        (("--script", script), {"max_cost": 0.5}, "max_cost is 0.5"),
        (("--script", script), {"serverless__role": "nobody", "max_cost": 10}, "A role is missing"),
    ):
        site.set(**change)
        code, said = site.run("launch", "--serverless", *arguments)
        assert code == 2, said
        assert words in said
    assert site.aws.serverless.applications == {}


def test_an_emulator_takes_the_same_requests(site):
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    try:
        host, port = server.get_host_and_port()
        site.set(serverless__use=True)
        address = {"AWS_ENDPOINT_URL_EMR_SERVERLESS": f"http://{host}:{port}"}
        code, said = site.run("launch", "--script", write(site), "--", "7", **address)
        assert code == 0, said
        assert "The job has ended well" in said
        assert "is deleted" in said
    finally:
        server.stop()
