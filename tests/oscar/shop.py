"""What oscar wants to be given: no pictures, some goods, two countries, some people."""

from decimal import Decimal


class NoThumbnails:
    """The goods have no pictures."""

    def generate_thumbnail(self, source, **opts):
        return None

    def delete_thumbnails(self, source):
        pass


def fill():
    """Fill an empty shop; gives the numbers of the goods."""
    from django.contrib.auth.models import User
    from oscar.core.loading import get_model

    country = get_model("address", "Country")
    for code, name in (("DE", "Germany"), ("FR", "France")):
        country.objects.create(
            iso_3166_1_a2=code,
            iso_3166_1_a3=code + "X",
            iso_3166_1_numeric="",
            printable_name=name,
            name=name,
            is_shipping_country=True,
        )
    kind = get_model("catalogue", "ProductClass").objects.create(name="goods", track_stock=False)
    partner = get_model("partner", "Partner").objects.create(name="us")
    goods = []
    for number, price in enumerate(("59.90", "12.50", "7.35")):
        product = get_model("catalogue", "Product").objects.create(
            title=f"Mug {number}", product_class=kind, is_public=True
        )
        get_model("partner", "StockRecord").objects.create(
            product=product,
            partner=partner,
            partner_sku=f"mug-{number}",
            price=Decimal(price),
            price_currency="EUR",
        )
        goods.append(product.pk)
    for number in range(60):
        User.objects.create_user(f"u{number}", f"u{number}@example.com", "a password of 1")
    User.objects.create_user("staff", "staff@example.com", "a password of 1", is_staff=True)
    return goods
