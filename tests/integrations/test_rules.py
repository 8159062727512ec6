"""Which response means which step."""

from types import SimpleNamespace

import pytest

from lastclick.errors import ConfigError
from lastclick.integrations._rules import Answer, Rule, found, match, misplaced, problems, step


def answer(**more):
    return Answer(**{"method": "GET", "path": "/shop/pay", "status": 200, **more})


@pytest.mark.parametrize(
    ("rule", "more", "fits"),
    [
        (Rule("pay"), {}, True),
        (Rule("pay"), {"status": 302}, False),
        (Rule("pay"), {"method": "HEAD"}, False),
        (Rule("pay", method="HEAD"), {"method": "HEAD"}, True),
        (Rule("pay", method=("get", "post")), {"method": "POST"}, True),
        (Rule("pay", method="post"), {}, False),
        (Rule("pay", status=None), {"status": 500}, True),
        (Rule("pay", status=(200, 422)), {"status": 422}, True),
        (Rule("pay", view="shop:pay"), {"view": "shop:pay"}, True),
        (Rule("pay", view="shop:pay"), {}, False),
        (Rule("pay", template="pay.html"), {"templates": ("base.html", "pay.html")}, True),
        (Rule("pay", template="pay.html"), {}, False),
        (Rule("pay", path="/shop/*"), {}, True),
        (Rule("pay", path="/shop"), {}, False),
        (Rule("pay", context={"step": "pay"}), {"context": {"step": "pay"}}, True),
        (Rule("pay", context={"step": "pay"}), {"context": {"step": "cart"}}, False),
        (Rule("pay", context={"step": "pay"}), {}, False),
        (Rule("pay", context={"error": ...}), {"context": {"error": "declined"}}, True),
        (Rule("pay", context={"error": ...}), {"context": {"error": ""}}, False),
    ],
)
def test_everything_that_is_given_must_fit(rule, more, fits):
    """A rule fits if each of its parts does."""
    assert rule.fits(answer(**more)) is fits


def test_the_first_rule_that_fits_is_taken_and_the_views_own_come_first():
    """Order is priority."""
    own, first, second = Rule("own"), Rule("first"), Rule("second")

    assert match([first, second], answer()) is first
    assert match([first], answer(own=[own])) is own
    assert match([Rule("pay", status=404)], answer()) is None


def test_a_name_with_dots_leads_into_what_the_template_was_given():
    """Through mappings and attributes; to None where there is no such thing."""
    given = answer(context={"order": SimpleNamespace(number=7, lines={"first": "mug"})})

    assert found(given, "order.number") == 7
    assert found(given, "order.lines.first") == "mug"
    assert found(given, "order.lines.last.name") is None
    assert found(answer(), "order") is None


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"step": ""}, "step of a rule is ''"),
        ({"step": "pay", "view": 5}, "view of a rule is 5"),
        ({"step": "pay", "context": 5}, "pass a mapping"),
        ({"step": "pay", "method": 5}, "method is one or several texts"),
        ({"step": "pay", "status": "200"}, "several numbers"),
        ({"step": "pay", "order": "order.id"}, "thank-you page"),
        ({"step": "order", "reason": "declined"}, "an order does not fail"),
    ],
)
def test_a_rule_that_cannot_be_is_refused(arguments, said):
    """At once, by name."""
    with pytest.raises(ConfigError, match=said):
        Rule(**arguments)


def test_rules_are_checked_against_what_is_there():
    """Each problem is one sentence; what cannot be known is passed over."""
    rules = [Rule("pay", view="shop:pay"), Rule("cart", template="x.html"), Rule("order")]

    assert problems(rules, ["cart", "pay"]) == []
    said = problems(rules, ["cart"], views={"shop:payment"}, has_template=lambda name: False)
    assert said == [
        "Rule('pay', view='shop:pay'): the funnel has no step 'pay'; it has cart",
        "Rule('pay', view='shop:pay'): there is no view 'shop:pay'; did you mean 'shop:payment'?",
        "Rule('cart', template='x.html'): there is no template 'x.html'",
    ]


def test_rules_at_methods_are_found_where_views_are_classes():
    """Also where the class itself is the endpoint, and in the classes it comes from."""

    class Base:
        queryset = object()

        @step("pay")
        async def post(self):
            raise AssertionError

    class Page(Base):
        @step("pay", reason="declined")
        def get(self):
            raise AssertionError

    assert [sentence.split(" stands")[0] for sentence in misplaced(Page)] == [
        "Rule('pay', reason='declined')",
        "Rule('pay')",
    ]
    assert misplaced(Page.get) == misplaced(None) == []


def test_a_rule_reads_as_it_was_written():
    """Its repr shows what was given, and nothing else."""
    rule = Rule("pay", method=["POST"], context={"error": ...}, reason="card_declined")

    assert repr(rule) == (
        "Rule('pay', method=['POST'], context={'error': Ellipsis}, reason='card_declined')"
    )
    assert repr(Rule("pay", status=None)) == "Rule('pay', status=None)"
