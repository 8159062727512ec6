"""What Cartridge wants to be given: some goods, some people, a way to ship, a way to pay."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

from cartridge.shop.checkout import CheckoutError
from cartridge.shop.utils import set_shipping

from tests.bank import refuse


def shipping(request, form):
    """It costs more to ship abroad, and nothing is shipped to Atlantis."""
    if form is None:  # the cart has changed, and the address has not
        return
    country = form.cleaned_data["shipping_detail_country"]
    if country == "Atlantis":
        raise CheckoutError("nobody ships there")
    set_shipping(request, "post", "4.90" if country == "Germany" else "9.90")


def payment(request, form, order):
    """The card's number says what becomes of it."""
    if form.cleaned_data["card_number"] != "4242":
        refuse(request, "card_declined")
        raise CheckoutError("the card was declined")
    return f"t-{order.pk}"


def fill():
    """Fill an empty shop; gives the addresses of the goods."""
    from cartridge.shop.models import Category, DiscountCode, Product
    from django.contrib.auth.models import User

    shelf = Category.objects.create(title="Shop")
    goods = []
    for number, price in enumerate(("59.90", "12.50", "7.35")):
        product = Product.objects.create(title=f"Mug {number}", available=True)
        product.categories.add(shelf)
        product.variations.manage_empty()
        product.variations.update(unit_price=Decimal(price), num_in_stock=1_000_000)
        product.copy_default_variation()
        # Cartridge makes the day's counter when the first is put into a cart, and where two are
        # at once it makes two, and fails from then on. The test may go on after midnight.
        for days in range(-1, 2):
            day = datetime.now(UTC) + timedelta(days)
            product.actions.create(timestamp=day.toordinal())
        goods.append(product.get_absolute_url())
    DiscountCode.objects.create(title="Five off", code="FIVE", active=True, discount_deduct=5)
    for number in range(60):
        User.objects.create_user(f"u{number}", f"u{number}@example.com", "a password of 1")
    User.objects.create_user("staff", "staff@example.com", "a password of 1", is_staff=True)
    return goods
