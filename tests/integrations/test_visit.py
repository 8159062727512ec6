"""The handle of a request, without a framework."""

import subprocess
import sys
from datetime import timedelta
from enum import Enum
from functools import partial
from inspect import signature
from uuid import UUID

import pytest

pytest.importorskip("itsdangerous", reason="the extras of the frameworks are not installed")

import lastclick
from lastclick import Checkout, Funnel
from lastclick.errors import ConfigError, EventError, raise_errors
from lastclick.integrations._identity import Attempt, digest
from lastclick.integrations._rules import Answer, Rule
from lastclick.integrations._visit import More, RequestCheckout, Tracking, Visit
from lastclick.sinks import MemorySink


class Step(Enum):
    CART = "cart"
    PAYMENT = "payment"


class Textless:
    """An object whose text fails."""

    def __str__(self):
        raise ValueError("not now")

    __repr__ = __str__


class Asked:
    """A request that a test makes up."""

    request = "the request"
    line = "GET /"
    path = "/"
    tls = False

    def __init__(self, cookie=None, agent=None):
        self.value, self.agent = cookie, agent

    def cookie(self, name):
        return self.value

    def header(self, name):
        return self.agent if name == "User-Agent" else None


@pytest.fixture
def sink():
    return MemorySink()


def tracking(sink, **more):
    funnel = Funnel("checkout", steps=Step, sink=sink)
    return Tracking(funnel, **{"on_error": lambda _: None, **more})


def page(**more):
    return Answer(**{"method": "GET", "path": "/", "status": 200, **more})


def test_the_handle_has_all_verbs_of_a_checkout(sink):
    """Steps may be members of an Enum, and every event takes what a checkout's takes."""
    visit = Visit(tracking(sink), Asked())
    handle = RequestCheckout(lambda: visit)

    handle.enter(Step.CART, event_id="e-1")
    handle.fail("payment", "card_declined", ("1", "EUR"), attributes={"card": "visa"})
    handle.assign("treated", campaign="autumn")
    handle.remind("email")
    handle.click("email")
    handle.complete("o-1", ("1", "EUR"))
    handle.survey(score=5, event_id="e-2")

    assert [event.type for event in sink.events] == [
        "step_entered",
        "step_failed",
        "holdout_assigned",
        "reminder_sent",
        "reminder_clicked",
        "order_completed",
        "survey_answered",
    ]
    assert {event.checkout_id for event in sink.events} == {handle.checkout_id}
    assert Attempt.read(visit.cookie()).ordered
    assert visit.tracking.stats.told == 7


def test_no_verb_of_a_checkout_is_missing():
    """Each takes the same arguments, in the same order."""
    verbs = {name: verb for name, verb in vars(Checkout).items() if not name.startswith("_")}

    assert set(verbs) <= set(vars(RequestCheckout))
    for name, verb in verbs.items():
        own = list(signature(getattr(RequestCheckout, name)).parameters)
        theirs = [one for one in signature(verb).parameters if one not in More.__annotations__]
        assert own == [*theirs, "more"]


def test_the_first_step_of_the_next_cart_is_a_new_attempt(sink):
    """Where the cookie says that its attempt has ordered; other steps belong to that one."""
    own = tracking(sink)
    ordered = Attempt.new().with_order("o-1")

    Visit(own, Asked(ordered.value)).tell("enter", "payment")
    for first in (Step.CART, "cart", lastclick.Step("cart"), lastclick.Step(Step.CART)):
        Visit(own, Asked(ordered.value)).tell("enter", first)

    assert sink.events[0].checkout_id == ordered.id
    assert len({event.checkout_id for event in sink.events}) == 5


@pytest.mark.parametrize(
    "order", [None, "", 10**5000, Textless(), ["o-1"]], ids=lambda order: type(order).__name__
)
def test_an_order_that_is_rejected_ends_nothing(sink, order):
    """One without an id that can be used is counted by the funnel, and breaks no page."""
    own = tracking(sink)
    visit = Visit(own, Asked())
    handle = RequestCheckout(lambda: visit)

    handle.enter("payment")
    handle.complete(order, ("1", "EUR"))

    assert not Attempt.read(visit.cookie()).ordered
    assert sum(own.funnel.stats.rejected.values()) == 1
    assert "order_completed" not in [event.type for event in sink.events]


@pytest.mark.parametrize("order", [7, UUID(int=7), "o-1"])
def test_an_order_is_known_again_by_its_text(sink, order):
    """Its thank-you page tells the same id, perhaps as text."""
    visit = Visit(tracking(sink), Asked())

    visit.tell("complete", order, ("1", "EUR"))
    visit.ordered(order)

    assert Attempt.read(visit.cookie()).last == digest(str(order))


@pytest.mark.parametrize("more", [{}, {"dry_run": True}, {"consent": lambda request: False}])
def test_a_step_that_has_no_name_breaks_no_page(sink, more):
    """The funnel counts it, or the request is not recorded."""
    own = tracking(sink, without_consent="steps", **more)
    handle = RequestCheckout(lambda: Visit(own, Asked()))

    handle.enter(Textless())
    handle.enter(10**5000)

    assert sum(own.funnel.stats.rejected.values()) + sum(own.stats.unrecorded.values()) == 2
    assert own.stats.cookieless == {}


def test_a_thank_you_page_without_a_cookie_begins_nothing(sink):
    """Nor one without consent, or in a shop that names its attempts."""
    rule = Rule("order")

    for own in (
        tracking(sink),
        tracking(sink, consent=lambda request: False),
        tracking(sink, checkout_id=lambda request: "c-1"),
    ):
        visit = Visit(own, Asked())
        visit.answered(rule, page())
        assert visit.cookie() is None


def test_a_shop_that_names_its_attempts_asks_for_no_cookie(sink):
    """Its first step asks nobody whether the attempt has ordered."""
    own = tracking(sink, checkout_id=lambda request: 7, has_ordered=lambda attempt: 1 / 0)
    visit = Visit(own, Asked())

    visit.tell("enter", "cart")

    assert visit.cookie() is None
    assert sink.events[0].checkout_id == "7"


def test_nothing_is_said_without_a_secret(sink):
    """A value that nobody could check is none; asking for it is counted."""
    own = tracking(sink)
    handle = RequestCheckout(lambda: Visit(own, Asked()))

    assert handle.token() == ""
    assert not handle.resume("x")
    assert own.stats.faults == {"no_secret": 2}


@pytest.mark.parametrize("token", [None, "", 5, "\ud800", b"\xff", ["x"]])
def test_a_signed_value_that_is_none_is_counted(sink, token):
    """A shopper may come back with anything, or with nothing: the page goes on."""
    own = tracking(sink, secret="a secret of the shop")
    handle = RequestCheckout(lambda: Visit(own, Asked()))

    assert handle.resume(token) is False
    own.checkout(token).complete("o-1", ("1", "EUR"))

    assert sink.events == []
    assert own.stats.faults == {"bad_token": 2}
    assert own.stats.unrecorded == {"bad_token": 1}


def test_a_signed_value_with_a_wrong_age_is_counted(sink):
    """What is wrong is said, and no page breaks by it."""
    said = []
    own = tracking(sink, secret="secret", on_error=lambda error: said.append(str(error)))
    handle = RequestCheckout(lambda: Visit(own, Asked()))

    assert handle.resume(own.token("c-1"), max_age=3600) is False

    assert own.stats.faults == {"bad_token": 1}
    assert "'int' object has no attribute 'total_seconds'" in said[0]


def test_what_is_no_id_is_not_signed(sink):
    """None is no attempt named 'None'; what is no id is counted as the funnel counts it."""
    own = tracking(sink, secret="secret")

    assert own.token(None) == own.token(Textless()) == own.token(10**5000) == ""
    assert own.stats.faults == {"no_checkout_id": 1, "bad_checkout_id": 2}
    assert own.read_token(own.token(7), timedelta(days=1)) == "7"


def test_a_link_of_a_reminder_goes_on_with_its_attempt(sink):
    """Signed outside a request; a shop that names its attempts gets no cookie by it either."""
    for own, cookie in ((None, "c-1"), (lambda request: "c-2", None)):
        tracked = tracking(sink, secret="secret", checkout_id=own)
        visit = Visit(tracked, Asked())

        assert RequestCheckout(lambda visit=visit: visit).resume(tracked.token("c-1"))
        RequestCheckout(lambda visit=visit: visit).click("email")

        assert visit.cookie() == cookie

    assert [event.checkout_id for event in sink.events] == ["c-1", "c-1"]


def test_rules_and_paths_may_come_from_a_generator(sink):
    """It is read once, and kept."""
    own = tracking(
        sink, rules=(Rule(name) for name in ("cart", "payment")), untracked=iter(["/admin/*"])
    )

    assert own.rules == (Rule("cart"), Rule("payment"))
    assert own.untracked == ("/admin/*",)


@pytest.mark.parametrize("name", ["rules", "untracked"])
@pytest.mark.parametrize("given", [None, 5, "cart", Rule("cart"), ["cart", 5], [Rule("cart"), 5]])
def test_what_are_no_rules_or_paths_is_refused(sink, name, given):
    """At once, by name."""
    with pytest.raises(ConfigError, match=f"{name} is .*; pass a list of"):
        tracking(sink, **{name: given})


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"secret": 123}, "secret is of type int; pass text or bytes"),
        ({"secret": ""}, "secret is empty"),
        ({"dry_run": "no"}, "dry_run is 'no'; pass True or False"),
        ({"on_error": None}, "on_error is None; pass a function"),
        ({"consent": True}, "consent is True; pass a function"),
        ({"has_ordered": "shop.asks"}, "has_ordered is 'shop.asks'; pass a function"),
    ],
)
def test_a_setting_of_the_wrong_kind_is_refused(sink, settings, said):
    """At once, by name, and not at the first page."""
    with pytest.raises(ConfigError, match=said):
        tracking(sink, **settings)


def test_a_rule_at_an_unknown_step_is_refused(sink):
    """At once, since the funnel's steps are known."""
    with pytest.raises(ConfigError, match="the funnel has no step 'pay'; it has cart, payment"):
        tracking(sink, rules=[Rule("pay")])


def test_an_order_that_a_payment_provider_tells_is_no_robot_s(sink):
    """Its program brings the signed value; what else it does is still a robot's."""
    own = tracking(sink, secret="a secret of the shop")
    here, there = Visit(own, Asked()), Visit(own, Asked(agent="curl/8"))
    shopper, provider = RequestCheckout(lambda: here), RequestCheckout(lambda: there)

    assert provider.resume(shopper.token())
    provider.click("email")
    provider.complete("o-1", ("1", "EUR"))

    assert [event.attributes.get("traffic") for event in sink.events] == ["bot", None]
    assert {event.checkout_id for event in sink.events} == {shopper.checkout_id}


def test_without_consent_there_is_no_id_and_no_bridge(sink):
    """Neither out nor in."""
    own = tracking(sink, consent=lambda request: False, secret="a secret of the shop")
    handle = RequestCheckout(lambda: Visit(own, Asked()))

    assert handle.checkout_id is None
    assert handle.token() == ""
    assert not handle.resume("x")
    handle.complete("o-1", ("1", "EUR"))
    assert sink.events == []


def test_a_rule_that_cannot_compare_fits_nothing(sink):
    """What a template was given may raise when it is compared; the page is unharmed."""

    class Odd:
        def __eq__(self, other):
            raise RuntimeError("not now")

        __hash__ = None

    own = tracking(sink, rules=[Rule("cart", context={"step": "cart"})])

    assert Visit(own, Asked()).matched(page(context={"step": Odd()})) is None
    assert own.stats.faults == {"rule_raised": 1}


class Gone:
    @property
    def number(self):
        raise ValueError("gone")


@pytest.mark.parametrize("context", [{"order": Gone()}, {"order": {"number": Textless()}}])
def test_a_thank_you_page_that_cannot_name_its_order_is_unharmed(sink, context):
    """It ends the attempt as one does that names none, and is counted."""
    rule = Rule("order", view="thanks", order="order.number")
    own = tracking(sink, rules=[rule])
    attempt = Attempt.new()
    visit = Visit(own, Asked(attempt.value))

    visit.answered(rule, page(view="thanks", context=context))

    assert Attempt.read(visit.cookie()).id != attempt.id
    assert own.stats.faults == {"rule_raised": 1}


class Undecided:
    def __bool__(self):
        raise ValueError("neither")


@pytest.mark.parametrize(
    ("given", "kept", "faults"),
    [
        (None, {}, {}),
        ({}, {}, {}),
        ({"device": "tv"}, {"device": "tv"}, {}),
        (5, {}, {"hook_raised": 1}),
        ("abc", {}, {"hook_raised": 1}),
        (["ab", "cd"], {}, {"hook_raised": 1}),
        (Undecided(), {}, {"hook_raised": 1}),
    ],
)
def test_attributes_that_are_no_mapping_cost_nothing_else(sink, given, kept, faults):
    """A hook may give None; what cannot be used is counted, and the event written without it."""
    own = tracking(sink, attributes=lambda request: given)

    Visit(own, Asked()).tell("enter", "cart")

    assert [dict(event.attributes) for event in sink.events] == [kept]
    assert own.stats.faults == faults


@pytest.mark.parametrize("name", ["consent", "staff", "has_ordered"])
def test_a_hook_that_says_neither_yes_nor_no_is_counted(sink, name):
    """It is a no, and the page goes on."""
    own = tracking(sink, **{name: lambda given: Undecided()})
    visit = Visit(own, Asked())

    visit.tell("enter", "cart")

    assert own.stats.faults == {"hook_raised": 1}
    assert [event.attributes for event in sink.events] == [{}] * (name != "consent")


class AsksAsync:
    async def __call__(self, request):
        return False


async def asks(request):
    return False


@pytest.mark.parametrize("hook", [asks, partial(asks), AsksAsync()])
@pytest.mark.parametrize("name", ["consent", "staff", "checkout_id", "has_ordered", "value"])
def test_an_async_hook_is_refused(sink, name, hook):
    """It would be true whatever it says: everybody would consent, and everybody be staff."""
    with pytest.raises(ConfigError, match=f"{name} is async: .*; pass a plain function"):
        tracking(sink, **{name: hook})


def test_a_hook_that_gives_a_coroutine_says_nothing(sink):
    """What cannot be seen before is counted then, and is no consent."""
    own = tracking(sink, consent=partial(AsksAsync()))

    Visit(own, Asked()).tell("enter", "cart")

    assert sink.events == []
    assert own.stats.faults == {"hook_raised": 1}
    assert own.stats.unrecorded == {"no_consent": 1}


def test_errors_can_be_raised_in_tests(sink):
    """With `raise_errors`, as everywhere."""
    own = tracking(sink, on_error=raise_errors)

    with pytest.raises(EventError, match="holds"):
        Visit(own, Asked("junk")).tell("enter", "cart")


@pytest.mark.parametrize(
    ("module", "missing", "extra"),
    [
        ("django", "django", "django"),
        ("django", "asgiref", "django"),
        ("flask", "flask", "flask"),
        ("flask", "itsdangerous", "flask"),
        ("asgi", "itsdangerous", "asgi"),
    ],
)
def test_a_missing_extra_is_one_sentence(module, missing, extra):
    """It names what was imported and the extra."""
    program = (
        f"import sys; sys.modules[{missing!r}] = None\n"
        f"try: import lastclick.integrations.{module}\n"
        "except ModuleNotFoundError as error: print(error)"
    )

    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", program], capture_output=True, text=True, check=True
    )

    assert done.stdout == (
        f"lastclick.integrations.{module} needs the extra {extra!r}: "
        f"pip install 'lastclick[{extra}]'\n"
    )
