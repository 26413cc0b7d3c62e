"""The shop's database: its tables, and a file filled with two quarters of trading."""

from __future__ import annotations

import datetime as dt
import os
import random
from pathlib import Path
from typing import ClassVar

from sqlalchemy import Engine, ForeignKey, create_engine, event, select
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column, relationship
from sqlalchemy.pool import NullPool

FIRST_DAY = dt.date(2025, 1, 2)
LAST_DAY = dt.date(2025, 6, 30)


class Base(DeclarativeBase):
    """The tables kept in the file."""


class Product(Base):
    """A packet of seed on the price list."""

    __tablename__ = "products"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(unique=True)
    category: Mapped[str]
    notes: Mapped[str]
    pence: Mapped[int]
    stock: Mapped[int]


class Customer(Base):
    """A shop or grower that buys from us."""

    __tablename__ = "customers"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(unique=True)
    town: Mapped[str]
    postcode: Mapped[str]


class Order(Base):
    """An order that was placed."""

    __tablename__ = "orders"
    id: Mapped[int] = mapped_column(primary_key=True)
    customer_id: Mapped[int] = mapped_column(ForeignKey("customers.id"))
    placed: Mapped[dt.date]
    customer: Mapped[Customer] = relationship()
    lines: Mapped[list[OrderLine]] = relationship(cascade="all, delete-orphan")


class OrderLine(Base):
    """One product of an order, at the price of that day."""

    __tablename__ = "order_lines"
    id: Mapped[int] = mapped_column(primary_key=True)
    order_id: Mapped[int] = mapped_column(ForeignKey("orders.id"))
    product_id: Mapped[int] = mapped_column(ForeignKey("products.id"))
    packets: Mapped[int]
    pence: Mapped[int]
    product: Mapped[Product] = relationship()


class DeskBase(DeclarativeBase):
    """The tables of one clerk's connection, which SQLite drops when it closes."""


class DraftLine(DeskBase):
    """One line of an order that a clerk is still writing."""

    __tablename__ = "draft_lines"
    __table_args__: ClassVar = {"prefixes": ["TEMPORARY"]}
    id: Mapped[int] = mapped_column(primary_key=True)
    product_id: Mapped[int]
    packets: Mapped[int]


def url() -> str:
    """Where the shop's file is: beside the demo, or what `SHOP_DATABASE` names."""
    default = Path(__file__).parent.parent / "data" / "shop.db"
    path = Path(os.environ.get("SHOP_DATABASE", default))
    path.parent.mkdir(parents=True, exist_ok=True)
    return f"sqlite:///{path}"


def open_engine(address: str) -> Engine:
    """An engine whose connections close for good when they are closed."""
    engine = create_engine(address, poolclass=NullPool, connect_args={"check_same_thread": False, "timeout": 10})

    @event.listens_for(engine, "connect")
    def _set_up(connection, _record) -> None:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA foreign_keys = ON")

    return engine


def fill(engine: Engine) -> None:
    """Make the tables, and two quarters of orders if there are none yet."""
    Base.metadata.create_all(engine)
    with Session(engine) as session, session.begin():
        if session.scalar(select(Order.id).limit(1)) is None:
            _trade(session)


def _trade(session: Session) -> None:
    # The same seed each time: everyone who starts the demo sees the same shop.
    chance = random.Random(1867)
    products = [
        Product(name=name, category=category, notes=notes, pence=pence, stock=chance.randrange(40, 400))
        for category, rows in PRODUCTS.items()
        for name, pence, notes in rows
    ]
    customers = [Customer(name=n, town=t, postcode=p) for n, t, p in CUSTOMERS]
    session.add_all([*products, *customers])

    favour = [chance.uniform(0.4, 2.0) for _ in products]
    day = FIRST_DAY
    while day <= LAST_DAY:
        # Sowing time fills the book: the orders of a weekday rise until April and fall again.
        season = 1.0 - abs((day - dt.date(2025, 4, 5)).days) / 130
        busy = 0 if day.weekday() == 6 else 1 + chance.randrange(round(1 + 6 * max(season, 0.1)))
        for _ in range(busy):
            wanted = set(chance.choices(range(len(products)), favour, k=chance.randrange(1, 6)))
            lines = [
                OrderLine(
                    product=products[i],
                    packets=chance.choice((5, 10, 10, 20, 25, 40)),
                    pence=products[i].pence,
                )
                for i in sorted(wanted)
            ]
            session.add(Order(customer=chance.choice(customers), placed=day, lines=lines))
        day += dt.timedelta(days=1)


PRODUCTS = {
    "Flowers": [
        ("Cornflower 'Blue Ball'", 145, "Hardy annual, deep blue, loved by bees, sow from March"),
        ("Cosmos 'Purity'", 165, "Tall white daisies until frost, good for cutting"),
        ("Field poppy", 120, "Scarlet annual of cornfields, sow in autumn or spring"),
        ("Foxglove 'Excelsior'", 155, "Biennial spires for part shade, poisonous, loved by bees"),
        ("Nasturtium 'Jewel'", 140, "Climbing, edible flowers and leaves, poor soil"),
        ("Sunflower 'Giant'", 135, "Up to three metres, seed for birds in winter"),
        ("Sweet pea 'Matucana'", 185, "Scented climber, purple and maroon, for cutting"),
    ],
    "Herbs": [
        ("Basil 'Genovese'", 150, "Tender herb for pesto and tomatoes, warm windowsill"),
        ("Borage", 125, "Blue edible flowers, loved by bees, seeds itself about"),
        ("Chives", 130, "Hardy perennial, mild onion leaves, purple flowers"),
        ("Coriander 'Santo'", 120, "Slow to bolt, leaves and seed for the kitchen"),
        ("Dill", 120, "Feathery leaves for fish and pickles, loved by hoverflies"),
        ("Parsley 'Moss Curled'", 115, "Biennial herb, slow to sprout, part shade"),
    ],
    "Vegetables": [
        ("Beetroot 'Boltardy'", 140, "Round red roots, safe for early sowing"),
        ("Broad bean 'Aquadulce'", 245, "Sow in autumn, crops in May, very hardy"),
        ("Carrot 'Nantes 2'", 135, "Sweet and coreless, early, for deep light soil"),
        ("Courgette 'Verde'", 210, "Bush plant, green fruit all summer, warm and rich soil"),
        ("Kale 'Nero di Toscana'", 155, "Dark leaves through winter, very hardy"),
        ("Leek 'Musselburgh'", 140, "Stout white stems, stands through winter"),
        ("Lettuce 'Little Gem'", 125, "Small sweet cos, quick, sow every fortnight"),
        ("Pea 'Kelvedon Wonder'", 225, "Early dwarf pea, sweet, needs no sticks"),
        ("Radish 'French Breakfast'", 110, "Ready in four weeks, mild, sow little and often"),
        ("Runner bean 'Scarlet Emperor'", 235, "Climber with red flowers, heavy crop"),
        ("Tomato 'Gardener's Delight'", 195, "Small sweet fruit, tall, warm and sheltered"),
    ],
    "Meadow": [
        ("Meadow mix for clay", 895, "Grasses and wild flowers for heavy wet soil, 100 g"),
        ("Meadow mix for chalk", 925, "Wild flowers and fescues for thin dry soil, 100 g"),
        ("Oxeye daisy", 160, "Perennial white daisy of meadows, loved by bees"),
        ("Ragged robin", 175, "Pink perennial for damp meadows and pond edges"),
        ("Yellow rattle", 240, "Weakens coarse grass for wild flowers, sow in autumn"),
    ],
}

CUSTOMERS = [
    ("Ashdown Nursery", "Forest Row", "RH18 5DW"),
    ("Barn Door Plants", "Ludlow", "SY8 2JR"),
    ("Bramley & Daughters", "Newark", "NG22 8AT"),
    ("Cathedral Garden Shop", "Ely", "CB7 4DL"),
    ("Dunmore Growers", "Stirling", "FK2 8LY"),
    ("Eskdale Farm Stores", "Whitby", "YO22 5ND"),
    ("Fenwick Hardware", "Hexham", "NE46 1NH"),
    ("Green Lane Allotments", "Leeds", "LS12 1HN"),
    ("Hollins Hall School", "Buxton", "SK17 6TD"),
    ("Kittiwake Cottage Garden", "Anstruther", "KY10 3AB"),
    ("Llanfair Village Shop", "Harlech", "LL46 2RU"),
    ("Market Street Ironmongers", "Totnes", "TQ9 5QJ"),
    ("Mill Race Garden Centre", "Aylsham", "NR11 6LZ"),
    ("Orchard Row Market Garden", "Pershore", "WR10 2PB"),
    ("Penrose Plants", "Helston", "TR13 0RD"),
    ("Quayside Community Garden", "Bristol", "BS1 6UX"),
    ("Saltmarsh Smallholding", "Maldon", "CM9 4LQ"),
    ("The Potting Shed", "Malton", "YO17 7LX"),
]
