"""Three MariaDB servers that are one Galera cluster."""

import pymysql

from .mariadb import MariaDBServer
from .tools import free_port, program

# Others are given up after two seconds, not five; the rest is as Debian has it.
_TIMERS = "evs.keepalive_period=PT0.5S;evs.inactive_check_period=PT0.25S;"
_TIMERS += "evs.suspect_timeout=PT2S;evs.inactive_timeout=PT4S;evs.install_timeout=PT4S;"


class GaleraNode(MariaDBServer):
    """A node, which gets its data from the others, by rsync.

    Args:
        members: Ports at which the nodes of the cluster speak with each other.
        port: That of this one.
    """

    def __init__(self, members: list[int], port: int) -> None:
        options = f"{_TIMERS}gmcast.listen_addr=tcp://127.0.0.1:{port};"
        options += f"ist.recv_addr=127.0.0.1:{free_port()};gcache.size=32M"
        super().__init__(
            binlog_format="ROW",
            innodb_autoinc_lock_mode=2,
            innodb_buffer_pool_size="32M",
            wsrep_on=True,
            wsrep_provider=program("galera-4", "/usr/lib/galera/libgalera_smm.so"),
            wsrep_cluster_name="dibs",
            wsrep_cluster_address="gcomm://" + ",".join(f"127.0.0.1:{one}" for one in members),
            wsrep_provider_options=options,
            wsrep_node_address=f"127.0.0.1:{port}",
            wsrep_sst_method="rsync",
            wsrep_sst_receive_address=f"127.0.0.1:{free_port()}",
        )
        self.first = False

    def _initialise(self) -> None:
        program("rsync", "/usr/bin/rsync")
        if self.first:
            super()._initialise()
        else:
            self._run(["mkdir", "data"])  # all of it comes from another

    def _command(self) -> list[str]:
        return super()._command() + ["--wsrep-new-cluster"] * self.first

    def _is_ready(self) -> bool:
        try:
            return super()._is_ready() and bool(self.execute("SELECT 1 FROM mysql.user"))
        except pymysql.err.OperationalError:  # not before it has caught up with the others
            return False


def galera(count: int = 3) -> list[GaleraNode]:
    """So many nodes of one cluster, started.

    Raises:
        ServiceMissing: Its programs are not installed.
        ServerFailed: One of them did not come up.
    """
    ports = [free_port() for _ in range(count)]
    nodes = [GaleraNode(ports, port) for port in ports]
    nodes[0].first = True
    try:
        for node in nodes:
            node.start()
    except BaseException:
        for node in nodes:
            node.close()
        raise
    nodes[0].first = False  # it comes back as a member
    return nodes
