"""Which error of which driver means what. By code, never by message text.

Sources:
    PostgreSQL: https://www.postgresql.org/docs/current/errcodes-appendix.html
    MariaDB: https://mariadb.com/kb/en/mariadb-error-code-reference/
    MySQL: https://dev.mysql.com/doc/mysql-errors/8.0/en/server-error-reference.html
        and https://dev.mysql.com/doc/mysql-errors/8.0/en/client-error-reference.html
    SQLite: https://www.sqlite.org/rescode.html
"""

from __future__ import annotations

from enum import Enum


class Kind(Enum):
    """What a driver's error means for a transaction."""

    UNIQUE = "a unique constraint refused a row"
    RESTART = "the transaction lost against another and may be run again"
    TIMEOUT = "the server ended a statement that took too long"
    AWAY = "the server cannot answer; the connection is not to be used again"
    SCHEMA = "a table or column is missing"
    OTHER = "a bug, of ours or of the host"


# Exact codes first, then the two-character class (SQL standard, table 35).
POSTGRESQL = {
    "23505": Kind.UNIQUE,  # unique_violation
    "40001": Kind.RESTART,  # serialization_failure
    "40P01": Kind.RESTART,  # deadlock_detected
    "55P03": Kind.RESTART,  # lock_not_available: our lock_timeout
    "57014": Kind.TIMEOUT,  # query_canceled: our statement_timeout
    "25006": Kind.AWAY,  # read_only_sql_transaction: a standby, mid-failover
    "25P03": Kind.AWAY,  # idle_in_transaction_session_timeout
    "42501": Kind.AWAY,  # insufficient_privilege: somebody is working on the rights
    "42P01": Kind.SCHEMA,  # undefined_table
    "42P10": Kind.SCHEMA,  # invalid_column_reference: there is no such primary key
    "22001": Kind.SCHEMA,  # string_data_right_truncation: a column is too short
    "23502": Kind.SCHEMA,  # not_null_violation: a column that is not ours
    "42703": Kind.SCHEMA,  # undefined_column
    "3D000": Kind.AWAY,  # invalid_catalog_name: the database is being restored
    "08": Kind.AWAY,  # connection_exception
    "28": Kind.AWAY,  # invalid_authorization_specification
    "53": Kind.AWAY,  # insufficient_resources: disk, memory, connections
    "57": Kind.AWAY,  # operator_intervention: shutdown, starting up
    "58": Kind.AWAY,  # system_error: I/O
}

MYSQL = {
    1062: Kind.UNIQUE,  # ER_DUP_ENTRY
    1205: Kind.RESTART,  # ER_LOCK_WAIT_TIMEOUT
    1213: Kind.RESTART,  # ER_LOCK_DEADLOCK; on Galera also at COMMIT
    1020: Kind.RESTART,  # ER_CHECKREAD: innodb_snapshot_isolation, default from MariaDB 11.6.2
    1146: Kind.SCHEMA,  # ER_NO_SUCH_TABLE
    1054: Kind.SCHEMA,  # ER_BAD_FIELD_ERROR
    1048: Kind.SCHEMA,  # ER_BAD_NULL_ERROR: the same
    1364: Kind.SCHEMA,  # ER_NO_DEFAULT_FOR_FIELD: a column that is not ours
    1406: Kind.SCHEMA,  # ER_DATA_TOO_LONG: a column is too short
    1142: Kind.AWAY,  # ER_TABLEACCESS_DENIED_ERROR: somebody is working on the rights
    1143: Kind.AWAY,  # ER_COLUMNACCESS_DENIED_ERROR
    1227: Kind.AWAY,  # ER_SPECIFIC_ACCESS_DENIED_ERROR
    1820: Kind.AWAY,  # ER_MUST_CHANGE_PASSWORD
    1862: Kind.AWAY,  # ER_MUST_CHANGE_PASSWORD_LOGIN
    4151: Kind.AWAY,  # ER_ACCOUNT_HAS_BEEN_LOCKED (MariaDB)
    0: Kind.AWAY,  # PyMySQL: the connection is closed
    1021: Kind.AWAY,  # ER_DISK_FULL
    1037: Kind.AWAY,  # ER_OUTOFMEMORY
    1040: Kind.AWAY,  # ER_CON_COUNT_ERROR
    1044: Kind.AWAY,  # ER_DBACCESS_DENIED_ERROR
    1045: Kind.AWAY,  # ER_ACCESS_DENIED_ERROR
    1047: Kind.AWAY,  # ER_UNKNOWN_COM_ERROR: a Galera node outside the primary component
    1049: Kind.AWAY,  # ER_BAD_DB_ERROR
    1053: Kind.AWAY,  # ER_SERVER_SHUTDOWN
    1077: Kind.AWAY,  # ER_NORMAL_SHUTDOWN
    1079: Kind.AWAY,  # ER_SHUTDOWN_COMPLETE
    1114: Kind.AWAY,  # ER_RECORD_FILE_FULL
    1129: Kind.AWAY,  # ER_HOST_IS_BLOCKED
    1152: Kind.AWAY,  # ER_ABORTING_CONNECTION
    1158: Kind.AWAY,  # ER_NET_READ_ERROR
    1159: Kind.AWAY,  # ER_NET_READ_INTERRUPTED
    1160: Kind.AWAY,  # ER_NET_ERROR_ON_WRITE
    1161: Kind.AWAY,  # ER_NET_WRITE_INTERRUPTED
    1180: Kind.AWAY,  # ER_ERROR_DURING_COMMIT: Galera without a quorum
    1184: Kind.AWAY,  # ER_NEW_ABORTING_CONNECTION
    1203: Kind.AWAY,  # ER_TOO_MANY_USER_CONNECTIONS
    1226: Kind.AWAY,  # ER_USER_LIMIT_REACHED
    1290: Kind.AWAY,  # ER_OPTION_PREVENTS_STATEMENT: read_only
    1317: Kind.AWAY,  # ER_QUERY_INTERRUPTED
    1836: Kind.AWAY,  # ER_READ_ONLY_MODE
    1927: Kind.AWAY,  # ER_CONNECTION_KILLED
    1969: Kind.TIMEOUT,  # ER_STATEMENT_TIMEOUT (MariaDB)
    3024: Kind.TIMEOUT,  # ER_QUERY_TIMEOUT (MySQL)
    4031: Kind.AWAY,  # ER_CLIENT_INTERACTION_TIMEOUT (MySQL)
    2002: Kind.AWAY,  # CR_CONNECTION_ERROR
    2003: Kind.AWAY,  # CR_CONN_HOST_ERROR
    2005: Kind.AWAY,  # CR_UNKNOWN_HOST
    2006: Kind.AWAY,  # CR_SERVER_GONE_ERROR
    2012: Kind.AWAY,  # CR_SERVER_HANDSHAKE_ERR
    2013: Kind.AWAY,  # CR_SERVER_LOST
    2055: Kind.AWAY,  # CR_SERVER_LOST_EXTENDED
}

# Extended codes first, then the primary code in the low byte.
SQLITE = {
    # SQLITE_ERROR, the answer to a statement that does not fit the tables. Ours are
    # fixed and tested, so the tables are what is missing or too old.
    1: Kind.SCHEMA,
    1299: Kind.SCHEMA,  # SQLITE_CONSTRAINT_NOTNULL: a column that is not ours
    2067: Kind.UNIQUE,  # SQLITE_CONSTRAINT_UNIQUE
    1555: Kind.UNIQUE,  # SQLITE_CONSTRAINT_PRIMARYKEY
    5: Kind.RESTART,  # SQLITE_BUSY
    6: Kind.RESTART,  # SQLITE_LOCKED
    7: Kind.AWAY,  # SQLITE_NOMEM
    8: Kind.AWAY,  # SQLITE_READONLY
    9: Kind.AWAY,  # SQLITE_INTERRUPT
    10: Kind.AWAY,  # SQLITE_IOERR
    11: Kind.AWAY,  # SQLITE_CORRUPT
    13: Kind.AWAY,  # SQLITE_FULL
    14: Kind.AWAY,  # SQLITE_CANTOPEN
    15: Kind.RESTART,  # SQLITE_PROTOCOL: a lost race for the WAL's lock
    26: Kind.AWAY,  # SQLITE_NOTADB
}


def classify(error: BaseException) -> Kind:
    """What this error of a driver means.

    Knows psycopg 3 and 2, PyMySQL and mysqlclient, and sqlite3, by the
    attribute in which each carries its code, so that no driver needs to be
    installed for another one's errors to be understood.

    Args:
        error: The driver's own exception, or SQLAlchemy's around it.
    """
    error = getattr(error, "orig", None) or error
    code = getattr(error, "sqlite_errorcode", None)
    if isinstance(code, int):
        return SQLITE.get(code) or SQLITE.get(code & 0xFF, Kind.OTHER)
    # Before the SQLSTATE, which PyMySQL has too since 1.2 and which says less: HY000.
    if error.args and isinstance(error.args[0], int):
        return MYSQL.get(error.args[0], Kind.OTHER)
    if hasattr(error, "sqlstate") or hasattr(error, "pgcode"):
        return _postgresql(error)
    return Kind.OTHER


def _postgresql(error: BaseException) -> Kind:
    state = getattr(error, "sqlstate", None) or getattr(error, "pgcode", None)
    if state is None:
        # libpq's own failures (refused, reset, timed out) have no SQLSTATE;
        # DB-API's class says that much: https://peps.python.org/pep-0249/#operationalerror
        lost = {"OperationalError", "InterfaceError"}
        return Kind.AWAY if lost & {c.__name__ for c in type(error).__mro__} else Kind.OTHER
    return POSTGRESQL.get(state) or POSTGRESQL.get(state[:2], Kind.OTHER)
