"""Write the configuration of a development cluster: a client's HADOOP_CONF_DIR, which its daemons read, too."""

from __future__ import annotations

import contextlib
import getpass
import random
import socket
from typing import TYPE_CHECKING
from xml.sax.saxutils import escape

import watchdog

if TYPE_CHECKING:
    from pathlib import Path

HOST = "127.0.0.1"
FIXED_PORTS = ("nn_rpc", "nn_http", "rm_rpc", "rm_scheduler", "rm_tracker", "rm_admin", "rm_http")
NODE_PORTS = ("rpc", "localizer", "http")
_PORTS = range(20_000, 32_000)
"""Below those that Linux gives to outgoing connections (from 32768 on), one of which could have a port by then."""
MEMORY_MB, CORES = 6144, 4
"""What each NodeManager offers; nothing is set aside before a container runs."""

NODE_FS = "rankhammer.dev.NodeFs"
"""Class of a NodeManager's local filesystem, dev/hadoop/NodeFs.java."""

LOG4J = """log4j.rootLogger=${rankhammer.log},out
log4j.appender.out=org.apache.log4j.ConsoleAppender
log4j.appender.out.target=System.err
log4j.appender.out.layout=org.apache.log4j.PatternLayout
log4j.appender.out.layout.ConversionPattern=%d{ISO8601} %p %c{2}: %m%n
"""


def free_ports(names: list[str]) -> dict[str, int]:
    """Give each name a TCP port that is free now, and that no outgoing connection takes before it is used."""
    found: dict[str, int] = {}
    left = iter(random.SystemRandom().sample(_PORTS, len(_PORTS)))
    with contextlib.ExitStack() as held:
        for name in names:
            # Held until all are found, so that each is another one.
            one = held.enter_context(socket.socket())
            found[name] = next(port for port in left if _binds(one, port))
    return found


def _binds(one: socket.socket, port: int) -> bool:
    try:
        one.bind((HOST, port))
    except OSError:
        return False
    return True


def write(folder: Path, ports: dict[str, int], *, n_nodes: int, queues: dict[str, int], extra: dict[str, str]) -> None:
    """Write all files.

    Args:
        folder: Of the cluster; its `conf` is the clients' HADOOP_CONF_DIR, and what is in `node` comes before it for a
            NodeManager.
        ports: By name.
        n_nodes: DataNodes, each with two copies' worth of every block where there are two.
        queues: Name to percent of the cluster that it is sure of; each may grow to all of it.
        extra: More settings, such as where S3 is: of yarn-site.xml where they begin with yarn., else of core-site.xml.
    """
    conf = folder / "conf"
    conf.mkdir(parents=True, exist_ok=True)
    core = _core(folder, ports) | {key: value for key, value in extra.items() if not key.startswith("yarn.")}
    _write_xml(conf / "core-site.xml", core)
    (folder / "node").mkdir(exist_ok=True)
    _write_xml(folder / "node" / "core-site.xml", core | {"fs.AbstractFileSystem.file.impl": NODE_FS})
    _write_xml(conf / "hdfs-site.xml", _hdfs(folder, ports, n_nodes))
    # YARN's defaults are read behind core-site.xml, and would win there.
    _write_xml(conf / "yarn-site.xml", _yarn(ports) | {key: extra[key] for key in extra if key.startswith("yarn.")})
    _write_xml(conf / "capacity-scheduler.xml", _queues(queues))
    (conf / "log4j.properties").write_text(LOG4J)


def _write_xml(path: Path, settings: dict[str, str]) -> None:
    rows = [
        f"<property><name>{escape(name)}</name><value>{escape(value)}</value></property>"
        for name, value in settings.items()
    ]
    path.write_text("\n".join(["<configuration>", *rows, "</configuration>", ""]))


def _core(folder: Path, ports: dict[str, int]) -> dict[str, str]:
    return {
        "fs.defaultFS": f"hdfs://{HOST}:{ports['nn_rpc']}",
        "hadoop.tmp.dir": str(folder / "tmp"),
        "hadoop.http.staticuser.user": getpass.getuser(),
        # A NameNode that is gone is noticed in seconds.
        "ipc.client.connect.max.retries": "5",
    }


def _hdfs(folder: Path, ports: dict[str, int], n_nodes: int) -> dict[str, str]:
    return {
        "dfs.namenode.rpc-address": f"{HOST}:{ports['nn_rpc']}",
        "dfs.namenode.http-address": f"{HOST}:{ports['nn_http']}",
        "dfs.namenode.name.dir": f"file://{folder}/nn/data",
        "dfs.replication": str(min(2, n_nodes)),
        "dfs.namenode.safemode.extension": "0",
        "dfs.namenode.datanode.registration.ip-hostname-check": "false",
        # A dead DataNode is noticed after 2 x recheck + 10 heartbeats, here 14 s.
        "dfs.heartbeat.interval": "1",
        "dfs.namenode.heartbeat.recheck-interval": "2000",
        # With two nodes there is no third one to take a dead one's place in a write.
        "dfs.client.block.write.replace-datanode-on-failure.policy": "NEVER",
        "dfs.namenode.replication.min": "1",
    }


def _yarn(ports: dict[str, int]) -> dict[str, str]:
    return {
        "yarn.resourcemanager.hostname": HOST,
        "yarn.resourcemanager.address": f"{HOST}:{ports['rm_rpc']}",
        "yarn.resourcemanager.scheduler.address": f"{HOST}:{ports['rm_scheduler']}",
        "yarn.resourcemanager.resource-tracker.address": f"{HOST}:{ports['rm_tracker']}",
        "yarn.resourcemanager.admin.address": f"{HOST}:{ports['rm_admin']}",
        "yarn.resourcemanager.webapp.address": f"{HOST}:{ports['rm_http']}",
        "yarn.resourcemanager.scheduler.class": (
            "org.apache.hadoop.yarn.server.resourcemanager.scheduler.capacity.CapacityScheduler"
        ),
        "yarn.scheduler.minimum-allocation-mb": "128",
        "yarn.scheduler.maximum-allocation-mb": str(MEMORY_MB),
        "yarn.scheduler.maximum-allocation-vcores": str(CORES),
        "yarn.nodemanager.resource.memory-mb": str(MEMORY_MB),
        "yarn.nodemanager.resource.cpu-vcores": str(CORES),
        "yarn.nodemanager.env-whitelist": f"JAVA_HOME,SPARK_LOCAL_IP,{watchdog.NAME}",
        "yarn.nodemanager.vmem-check-enabled": "false",
        "yarn.nodemanager.pmem-check-enabled": "true",
        "yarn.nodemanager.disk-health-checker.max-disk-utilization-per-disk-percentage": "100",
        # Both nodes are this host: their ports tell them apart.
        "yarn.scheduler.include-port-in-node-name": "true",
        "yarn.nm.liveness-monitor.expiry-interval-ms": "10000",
        "yarn.resourcemanager.nodemanagers.heartbeat-interval-ms": "200",
        "yarn.resourcemanager.am.max-attempts": "4",
        "yarn.nodemanager.sleep-delay-before-sigkill.ms": "250",
        "yarn.log-aggregation-enable": "true",
        "yarn.nodemanager.remote-app-log-dir": "/tmp/logs",
        "yarn.timeline-service.enabled": "false",
        "yarn.admin.acl": getpass.getuser(),
    }


def _queues(queues: dict[str, int]) -> dict[str, str]:
    prefix = "yarn.scheduler.capacity"
    settings = {
        f"{prefix}.root.queues": ",".join(queues),
        f"{prefix}.maximum-am-resource-percent": "0.8",
        f"{prefix}.node-locality-delay": "-1",
        f"{prefix}.resource-calculator": "org.apache.hadoop.yarn.util.resource.DefaultResourceCalculator",
    }
    for name, percent in queues.items():
        settings |= {
            f"{prefix}.root.{name}.capacity": str(percent),
            f"{prefix}.root.{name}.maximum-capacity": "100",
            f"{prefix}.root.{name}.user-limit-factor": "10",
            f"{prefix}.root.{name}.state": "RUNNING",
        }
    return settings
