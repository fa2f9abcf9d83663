"""A process that keeps changing a database until it is ended: `postgres_writer.py PORT DATABASE SEED`.

Transfers between accounts keep the sum of all balances; everything else is inserted, updated, deleted, given
another key and given wide out-of-line values at random. A database that is restarted meanwhile is waited for.
"""

from __future__ import annotations

import random
import sys
import time
from typing import Any

import psycopg

ACCOUNTS, BALANCE = 40, 1000
_SOME = "(SELECT id FROM notes ORDER BY random() LIMIT {})"


def transfer(cursor: Any, chance: random.Random) -> None:
    giver, taker = chance.sample(range(ACCOUNTS), 2)
    amount = chance.randint(1, 50)
    for account, change in ((giver, -amount), (taker, amount)):
        cursor.execute(
            "UPDATE accounts SET balance = balance + %s, at = now() WHERE id = %s", (change, account)
        )


def insert(cursor: Any, chance: random.Random) -> None:
    for _ in range(9):
        wide = chance.randbytes(chance.choice((0, 10, 30_000))).hex()
        cursor.execute("INSERT INTO notes (name, wide) VALUES (%s, %s)", (f"name {chance.random()}", wide))


def update(cursor: Any, chance: random.Random) -> None:
    cursor.execute(f"UPDATE notes SET amount = amount + 0.25, flag = NOT flag WHERE id IN {_SOME.format(20)}")
    wide = chance.randbytes(20_000).hex()
    cursor.execute(f"UPDATE notes SET wide = %s WHERE id IN {_SOME.format(1)}", (wide,))


def delete(cursor: Any, chance: random.Random) -> None:
    cursor.execute(f"DELETE FROM notes WHERE id IN {_SOME.format(7)}")


def move(cursor: Any, chance: random.Random) -> None:
    """Other keys for wide rows, and one row that changes several times within the transaction."""
    cursor.execute(f"UPDATE notes SET id = nextval('notes_id_seq') WHERE id IN {_SOME.format(5)}")
    cursor.execute("DELETE FROM notes WHERE id = (SELECT max(id) FROM notes) RETURNING id")
    ((last,),) = cursor.fetchall()
    cursor.execute("INSERT INTO notes (id, name) VALUES (%s, 'once more')", (last,))
    cursor.execute("UPDATE notes SET name = 'and again' WHERE id = %s", (last,))


def main(port: str, database: str, seed: str) -> None:
    chance = random.Random(int(seed))
    address = f"host=127.0.0.1 port={port} user=shop password=secret dbname={database}"
    while True:
        try:
            with psycopg.connect(address) as connection, connection.cursor() as cursor:
                while True:
                    changes = (transfer, transfer, transfer, insert, update, delete, move)
                    chance.choice(changes)(cursor, chance)
                    connection.commit() if chance.random() < 0.95 else connection.rollback()
                    time.sleep(0.003)
        except psycopg.Error:
            time.sleep(0.05)


if __name__ == "__main__":
    main(*sys.argv[1:])
