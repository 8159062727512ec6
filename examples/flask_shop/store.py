"""The shop's own tables, in sqlite. Money is whole cents, times are ISO text in UTC."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

SCHEMA = """
CREATE TABLE IF NOT EXISTS products (
    id TEXT PRIMARY KEY, name TEXT NOT NULL, about TEXT NOT NULL,
    eur INTEGER NOT NULL, usd INTEGER NOT NULL, stock INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS customers (
    id INTEGER PRIMARY KEY, email TEXT NOT NULL UNIQUE,
    name TEXT, street TEXT, postcode TEXT, city TEXT);
CREATE TABLE IF NOT EXISTS checkouts (
    id TEXT PRIMARY KEY, currency TEXT NOT NULL,
    customer_id INTEGER REFERENCES customers, mail_ok INTEGER NOT NULL DEFAULT 0,
    name TEXT, street TEXT, postcode TEXT, city TEXT, delivery TEXT,
    seen_at TEXT NOT NULL, reminded_at TEXT);
CREATE TABLE IF NOT EXISTS lines (
    checkout_id TEXT NOT NULL REFERENCES checkouts, product_id TEXT NOT NULL REFERENCES products,
    quantity INTEGER NOT NULL CHECK (quantity > 0), PRIMARY KEY (checkout_id, product_id));
CREATE TABLE IF NOT EXISTS orders (
    id INTEGER PRIMARY KEY, checkout_id TEXT NOT NULL UNIQUE REFERENCES checkouts,
    customer_id INTEGER NOT NULL REFERENCES customers,
    total INTEGER NOT NULL, currency TEXT NOT NULL, ordered_at TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS refunds (
    id INTEGER PRIMARY KEY, order_id INTEGER NOT NULL REFERENCES orders,
    amount INTEGER NOT NULL CHECK (amount > 0), refunded_at TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS outbox (
    id INTEGER PRIMARY KEY, recipient TEXT NOT NULL, subject TEXT NOT NULL, body TEXT NOT NULL,
    sent_at TEXT NOT NULL);
"""

PRODUCTS = (  # id, name, about, cents in EUR, cents in USD, in stock
    ("mug", "Stoneware mug", "Holds a pint and keeps it warm.", 1290, 1390, 100_000),
    ("teapot", "Cast-iron teapot", "For four, with a strainer.", 5990, 6490, 100_000),
    ("kettle", "Copper kettle", "Made by hand; two are left.", 8900, 9600, 2),
    ("darjeeling", "Darjeeling, 250 g", "First flush, loose leaf.", 1850, 1990, 100_000),
    ("sencha", "Sencha, 100 g", "Steamed, from Uji.", 1425, 1540, 100_000),
    ("tray", "Ash-wood tray", "Oiled, with two handles.", 3475, 3750, 100_000),
    ("cloth", "Linen tea towel", "Undyed; gets softer.", 995, 1075, 100_000),
    ("set", "Tea for two", "Pot, two mugs & a tray.", 9900, 10700, 100_000),
)


def connect(path: Path) -> sqlite3.Connection:
    """Open the shop's database; a connection is made for each request."""
    # Autocommit, so that a transaction is where the code says `with transaction(...)`.
    db = sqlite3.connect(path, isolation_level=None, timeout=10)
    db.row_factory = sqlite3.Row
    db.execute("PRAGMA foreign_keys = ON")
    db.execute("PRAGMA synchronous = NORMAL")
    return db


def create(path: Path) -> None:
    """Make the tables and fill the shelves, unless that was done before."""
    db = connect(path)
    try:
        db.execute("PRAGMA journal_mode = WAL")
        db.executescript(SCHEMA)
        db.executemany("INSERT OR IGNORE INTO products VALUES (?, ?, ?, ?, ?, ?)", PRODUCTS)
    finally:
        db.close()


@contextmanager
def transaction(db: sqlite3.Connection) -> Iterator[None]:
    """Commit what happens inside, or none of it."""
    db.execute("BEGIN IMMEDIATE")
    try:
        yield
    except BaseException:
        db.execute("ROLLBACK")
        raise
    db.execute("COMMIT")


def find_checkout(db: sqlite3.Connection, checkout_id: str | None) -> sqlite3.Row | None:
    """The checkout of that id with its customer's e-mail and its order's number, or None."""
    found: sqlite3.Row | None = db.execute(
        "SELECT c.*, u.email, o.id AS order_id FROM checkouts c "
        "LEFT JOIN customers u ON u.id = c.customer_id "
        "LEFT JOIN orders o ON o.checkout_id = c.id WHERE c.id = ?",
        (checkout_id,),
    ).fetchone()
    return found


def order_of(db: sqlite3.Connection, checkout_id: str) -> sqlite3.Row | None:
    """The order that this checkout became, or None."""
    found: sqlite3.Row | None = db.execute(
        "SELECT * FROM orders WHERE checkout_id = ?", (checkout_id,)
    ).fetchone()
    return found


def cart_lines(db: sqlite3.Connection, checkout: sqlite3.Row) -> list[sqlite3.Row]:
    """What is in the cart, priced in its currency."""
    price = "usd" if checkout["currency"] == "USD" else "eur"
    return db.execute(
        f"SELECT p.id, p.name, p.stock, p.{price} AS price, l.quantity "
        "FROM lines l JOIN products p ON p.id = l.product_id WHERE l.checkout_id = ? ORDER BY p.id",
        (checkout["id"],),
    ).fetchall()


DELIVERY = {"standard": 490, "express": 990}  # cents, the same number in either currency
FREE_DELIVERY_FROM = 10_000


def delivery_price(goods: int, delivery: str | None) -> int:
    """What the chosen delivery costs: standard is free for large carts; 0 while none is chosen."""
    if delivery is None or (delivery == "standard" and goods >= FREE_DELIVERY_FROM):
        return 0
    return DELIVERY[delivery]
