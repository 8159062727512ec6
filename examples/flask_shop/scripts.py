"""What the shoppers do: one function for each kind of visit, and how many come for it."""

from collections.abc import Callable
from datetime import timedelta

from examples.flask_shop.browser import AGENTS, Browser
from examples.flask_shop.shoppers import ABANDONED_AFTER, END, GOOD_CARD, Script, Shopper

# --- Who comes without a purchase in the end ------------------------------------------------------


def only_looks(me: Shopper) -> Script:
    me.arrive()
    yield me.think()
    me.arrive()


def leaves_at(step: str) -> Callable[[Shopper], Script]:
    def script(me: Shopper) -> Script:
        yield from me.fill_cart()
        yield from me.walk(step, mail_ok=me.random.random() < 0.7)

    script.__name__ = f"leaves_at_{step}"
    return script


def declined_and_gone(me: Shopper) -> Script:
    yield from me.fill_cart()
    yield from me.walk("payment")
    for _ in range(me.random.choice((1, 1, 2))):
        yield me.think()
        me.be_declined()


def bad_address_and_gone(me: Shopper) -> Script:
    yield from me.fill_cart()
    yield from me.walk("shipping")
    yield me.think()
    me.give_address(postcode="EC1A 1BB")
    me.refused("shipping", "invalid_address")


def sold_out_and_gone(me: Shopper) -> Script:
    me.arrive()
    me.add("kettle")
    yield me.think()
    me.post("/cart/change", product="kettle", quantity="3")
    yield me.think()
    me.forward()
    me.refused("cart", "out_of_stock")


def comes_back_and_leaves_again(me: Shopper) -> Script:
    yield from me.fill_cart()
    yield from me.walk("contact")
    yield me.days(1, 3)
    me.get("/cart")
    yield from me.walk("shipping")


def clicks_and_leaves_again(me: Shopper) -> Script:
    yield from me.fill_cart()
    yield from me.walk("payment")
    yield me.hours(4, 30)
    me.come_by_link()


# --- Who buys at the first go ---------------------------------------------------------------------


def buys(me: Shopper) -> Script:
    yield from me.fill_cart()
    yield from me.walk("payment")
    yield me.think()
    me.buy("purchased")


def buys_slowly(me: Shopper) -> Script:
    yield from me.fill_cart()
    yield from me.walk("payment")
    yield timedelta(minutes=29, seconds=30)  # looked for the card: not yet an abandonment
    me.buy("purchased")


def buys_exactly_at_the_limit(me: Shopper) -> Script:
    yield from me.fill_cart()
    yield from me.walk("payment")
    yield ABANDONED_AFTER
    me.buy("purchased")


def goes_back_and_reloads(me: Shopper) -> Script:
    yield from me.fill_cart()
    yield from me.walk("payment")
    yield me.think()
    me.get("/checkout/shipping")
    yield me.think()
    me.get("/cart")
    me.get("/cart")
    yield from me.walk("payment")
    me.get("/checkout/payment")
    yield me.think()
    me.buy("purchased")


def skips_the_cart(me: Shopper) -> Script:
    me.arrive()
    yield me.think()
    me.add(then="contact")
    yield from me.walk("payment")
    yield me.think()
    me.buy("purchased")


def buys_in_two_tabs(me: Shopper) -> Script:
    yield from me.fill_cart()
    yield from me.walk("payment")
    checkout = me.browser.cookies["checkout"]
    yield me.think()
    me.get("/cart")  # the second tab; the first still shows the payment page
    yield me.think()
    me.get("/checkout/payment")
    me.buy("purchased")
    order = me.page.order
    yield me.think()
    me.post("/checkout/payment", card=GOOD_CARD, checkout=checkout)
    me.expect("thanks")
    assert me.page.order == order, f"{me.email} paid twice: {order}, {me.page}"
    me.get("/cart")  # empty by now, so no step
    assert me.page.cents is None


def declined_then_buys(me: Shopper) -> Script:
    yield from me.fill_cart()
    yield from me.walk("payment")
    for _ in range(me.random.choice((1, 1, 2))):
        yield me.think()
        me.be_declined()
    yield me.think()
    me.buy("purchased")


def mistypes_then_buys(me: Shopper) -> Script:
    yield from me.fill_cart()
    yield from me.walk("contact")
    yield me.think()
    me.post("/checkout/contact", email="shopper at example")
    me.refused("contact", "invalid_email")
    yield from me.walk("shipping")
    yield me.think()
    me.give_address(postcode="1011")
    me.refused("shipping", "invalid_address")
    yield from me.walk("payment")
    yield me.think()
    me.buy("purchased")


def sold_out_then_buys(me: Shopper) -> Script:
    me.arrive()
    yield me.think()
    me.add("kettle")
    yield me.think()
    me.post("/cart/change", product="kettle", quantity="3")
    yield me.think()
    me.forward()
    me.refused("cart", "out_of_stock")
    yield me.think()
    me.post("/cart/change", product="kettle", quantity="0")
    me.expect("cart")
    yield me.think()
    me.add("teapot")
    yield from me.walk("payment")
    yield me.think()
    me.buy("purchased")


def buys_twice(me: Shopper) -> Script:
    yield from buys(me)
    yield me.days(1, 6)
    me.arrive()
    yield me.think()
    me.add()
    yield me.think()
    me.post("/checkout", express="1")  # straight to payment: contact and shipping are skipped
    me.expect("payment")
    yield me.think()
    me.buy("purchased")


def begins_again_elsewhere(me: Shopper) -> Script:
    yield from me.fill_cart()
    yield from me.walk("shipping", mail_ok=False)
    yield me.hours(2, 20)
    me.take_other_device()
    me.attempt = None  # no cookie, no link: for the shop this is another try
    yield from buys(me)


def gets_all_back(me: Shopper) -> Script:
    yield from buys(me)
    yield me.days(1, 4)
    me.ask_refund(me.attempts[-1].cents)


def gets_some_back_twice(me: Shopper) -> Script:
    yield from buys(me)
    for share in (4, 5):
        yield me.days(0.5, 2)
        me.ask_refund(me.attempts[-1].cents // share)


# --- Who is won back, or comes too late -----------------------------------------------------------


def back_alone(me: Shopper) -> Script:
    yield from me.fill_cart()
    yield from me.walk("payment", mail_ok=False)
    yield me.hours(0.6, 60)
    me.get("/cart")
    yield from me.walk("payment", mail_ok=False)
    yield me.think()
    me.buy("recovered_unaided")


def back_before_the_reminder(me: Shopper) -> Script:
    yield from me.fill_cart()
    yield from me.walk("payment")
    yield timedelta(minutes=30, microseconds=1)  # just long enough to count as gone
    me.get("/checkout/payment")
    yield me.think()
    me.buy("recovered_unaided")


def back_after_reminder(me: Shopper) -> Script:
    yield from me.fill_cart()
    yield from me.walk("shipping")
    yield me.hours(3.5, 90)
    me.get("/cart")
    yield from me.walk("payment")
    yield me.think()
    me.buy("recovered_after_reminder")


def reads_the_reminder_after_buying(me: Shopper) -> Script:
    yield from back_after_reminder(me)
    yield me.hours(1, 20)
    me.get(me.link())
    me.expect("cart")
    assert me.page.cents is None, "a paid cart should be empty"


def mail_is_scanned(me: Shopper) -> Script:
    yield from me.fill_cart()
    yield from me.walk("shipping")
    yield me.hours(3.5, 5)
    scanner = Browser(me.world.web, AGENTS["scanner"])
    assert scanner.get(me.link()).name == "cart"
    me.world.scans += 1
    yield me.hours(3.5, 40)
    me.get("/cart")
    yield from me.walk("payment")
    yield me.think()
    me.buy("recovered_after_reminder")


def back_by_link(me: Shopper) -> Script:
    yield from me.fill_cart()
    yield from me.walk(me.random.choice(("shipping", "payment")))
    yield me.hours(3.5, 100)
    me.come_by_link()
    yield from me.walk("payment")
    yield me.think()
    me.buy("recovered_by_link")


def back_by_link_elsewhere(me: Shopper) -> Script:
    yield from me.fill_cart()
    yield from me.walk("payment")
    yield me.hours(3.5, 50)
    me.take_other_device()
    me.come_by_link()
    yield from me.walk("payment")
    yield me.think()
    me.be_declined()
    yield me.think()
    me.buy("recovered_by_link")


def link_first_buys_days_later(me: Shopper) -> Script:
    yield from me.fill_cart()
    yield from me.walk("shipping")
    yield me.hours(3.5, 20)
    me.come_by_link()
    yield me.days(1, 5)
    me.get("/cart")
    yield from me.walk("payment")
    yield me.think()
    me.buy("recovered_by_link")


def reminder_long_ago(me: Shopper) -> Script:
    yield from me.fill_cart()
    yield from me.walk("shipping")
    yield me.days(4, 5)
    me.get("/cart")
    yield me.days(4, 5)  # reminded more than a week ago: this time the mail was not why
    me.get("/cart")
    yield from me.walk("payment")
    yield me.think()
    me.buy("recovered_unaided")


def too_late(me: Shopper) -> Script:
    yield from me.fill_cart()
    yield from me.walk("payment", mail_ok=me.random.random() < 0.5)
    yield me.days(7.2, 12)
    me.get("/cart")
    yield from me.walk("payment")
    yield me.think()
    me.buy("purchased_late")


def too_late_by_link(me: Shopper) -> Script:
    yield from me.fill_cart()
    yield from me.walk("shipping")
    yield me.days(7.2, 12)
    me.come_by_link()
    yield from me.walk("payment")
    yield me.think()
    me.buy("purchased_late")


# --- Robots ---------------------------------------------------------------------------------------


def robot(me: Shopper) -> Script:
    me.device, me.browser = "bot", Browser(me.world.web, AGENTS["bot"])
    yield from me.fill_cart()
    yield timedelta(seconds=1)
    if me.random.random() < 0.5:
        me.forward()


def card_tester(me: Shopper) -> Script:
    """Tries stolen cards: many declines that are nobody's lost sale."""
    me.device, me.browser = "bot", Browser(me.world.web, AGENTS["bot"])
    me.arrive()
    me.add("cloth")
    while me.page.name != "payment":
        yield timedelta(seconds=1)
        me.forward(mail_ok=False)
    for _ in range(8):
        yield timedelta(seconds=2)
        me.be_declined()


def last_one(me: Shopper) -> Script:
    """Stands before the till in the very last instant, which is what the report is as of."""
    yield from me.fill_cart()
    yield from me.walk("shipping")
    yield END - me.world.clock()
    me.give_address()


SCRIPTS: tuple[tuple[Callable[[Shopper], Script], int], ...] = (  # a script, and its weight
    (buys, 60),
    (buys_slowly, 6),
    (buys_exactly_at_the_limit, 3),
    (goes_back_and_reloads, 12),
    (skips_the_cart, 10),
    (buys_in_two_tabs, 6),
    (declined_then_buys, 14),
    (mistypes_then_buys, 10),
    (sold_out_then_buys, 4),
    (buys_twice, 9),
    (begins_again_elsewhere, 6),
    (gets_all_back, 6),
    (gets_some_back_twice, 5),
    (back_alone, 14),
    (back_before_the_reminder, 3),
    (back_after_reminder, 12),
    (reads_the_reminder_after_buying, 3),
    (mail_is_scanned, 4),
    (back_by_link, 12),
    (back_by_link_elsewhere, 5),
    (link_first_buys_days_later, 4),
    (reminder_long_ago, 3),
    (too_late, 8),
    (too_late_by_link, 4),
    (only_looks, 16),
    (leaves_at("cart"), 80),
    (leaves_at("contact"), 38),
    (leaves_at("shipping"), 30),
    (leaves_at("payment"), 24),
    (declined_and_gone, 24),
    (bad_address_and_gone, 10),
    (sold_out_and_gone, 3),
    (comes_back_and_leaves_again, 8),
    (clicks_and_leaves_again, 6),
    (robot, 12),
    (card_tester, 3),
)
