"""Django 5.1's ``transaction_mode`` and ``init_command``, for the 4.2 that Cartridge wants.

A transaction that has read and then writes is refused at once where another has written in the
meantime; one that begins as a writer waits.
"""

from django.db.backends.sqlite3 import base


class DatabaseWrapper(base.DatabaseWrapper):
    """Transactions wait for each other, and the disk is not waited for."""

    def get_new_connection(self, conn_params):
        connection = super().get_new_connection(conn_params)
        connection.execute("PRAGMA synchronous=OFF")
        return connection

    def _start_transaction_under_autocommit(self):
        self.cursor().execute("BEGIN IMMEDIATE")
