"""A process that keeps changing a database until it is ended: `mysql_writer.py SOCKET DATABASE SEED`.

Transfers between accounts keep the sum of all balances; everything else is inserted, updated, deleted, given
another key and given wide values at random. A database that is restarted meanwhile is waited for.
"""

from __future__ import annotations

import random
import sys
import time
from typing import Any

import pymysql

ACCOUNTS, BALANCE = 40, 1000


def transfer(cursor: Any, chance: random.Random) -> None:
    giver, taker = chance.sample(range(ACCOUNTS), 2)
    amount = chance.randint(1, 50)
    for account, change in ((giver, -amount), (taker, amount)):
        cursor.execute(
            "UPDATE accounts SET balance = balance + %s, at = now(6) WHERE id = %s", (change, account)
        )


def insert(cursor: Any, chance: random.Random) -> None:
    rows = [
        (f"name {chance.random()}", chance.randbytes(chance.choice((0, 10, 30_000))).hex()) for _ in range(9)
    ]
    cursor.executemany("INSERT INTO notes (name, wide, flag) VALUES (%s, %s, 1)", rows)


def update(cursor: Any, chance: random.Random) -> None:
    cursor.execute("UPDATE notes SET amount = amount + 0.25, flag = NOT flag ORDER BY rand() LIMIT 20")
    wide = chance.randbytes(20_000).hex()
    cursor.execute("UPDATE notes SET wide = %s ORDER BY rand() LIMIT 1", (wide,))


def delete(cursor: Any, chance: random.Random) -> None:
    cursor.execute("DELETE FROM notes ORDER BY rand() LIMIT 7")


def move(cursor: Any, chance: random.Random) -> None:
    """Keys that others had before: all within one transaction, in which one row changes several times."""
    cursor.execute("UPDATE notes SET id = id + 1 ORDER BY id DESC LIMIT 5")
    cursor.execute("SELECT max(id) FROM notes")
    (last,) = cursor.fetchone()
    cursor.execute("DELETE FROM notes WHERE id = %s", (last,))
    cursor.execute("INSERT INTO notes (id, name) VALUES (%s, 'once more')", (last,))
    cursor.execute("UPDATE notes SET name = 'and again' WHERE id = %s", (last,))


def main(socket: str, database: str, seed: str) -> None:
    chance = random.Random(int(seed))
    while True:
        try:
            with (
                pymysql.connect(unix_socket=socket, user="root", database=database) as connection,
                connection.cursor() as cursor,
            ):
                while True:
                    connection.begin()
                    chance.choice((transfer, transfer, transfer, insert, update, delete, move))(
                        cursor, chance
                    )
                    connection.commit() if chance.random() < 0.95 else connection.rollback()
                    time.sleep(0.003)
        except pymysql.err.MySQLError:
            time.sleep(0.05)


if __name__ == "__main__":
    main(*sys.argv[1:])
