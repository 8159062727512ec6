"""A payment that declines what it is told to decline, as oscar's documentation would have it."""

from oscar.apps.checkout import views
from oscar.apps.payment.exceptions import PaymentError, UnableToTakePayment

from tests.bank import refuse


class PaymentDetailsView(views.PaymentDetailsView):
    """The card's number travels from page to page and says what becomes of it."""

    def handle_payment_details_submission(self, request):
        if request.POST.get("card") == "bad":
            return self.render_payment_details(request, card_error="no such card")
        return self.render_preview(request)

    def handle_payment(self, order_number, total, **kwargs):
        card = self.request.POST.get("card")
        if card == "declined":
            refuse(self.request, "card_declined")
            raise UnableToTakePayment("the card was declined")
        if card == "broken":
            refuse(self.request, "payment_error")
            raise PaymentError("the provider does not answer")
