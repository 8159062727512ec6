"""The page for staff: ``path("admin/lastclick/", include("lastclick.integrations.django.urls"))``.

Place it above the admin's own paths.
"""

from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import path
from django.utils.safestring import mark_safe

from lastclick import measure, read_log
from lastclick.errors import LastclickError
from lastclick.integrations.django._settings import log_directory, tracking

app_name = "lastclick"


def report(request: HttpRequest) -> HttpResponse:
    """The report about the whole log, in the admin's clothes. Reads the log each time."""
    own, found, error = tracking(), None, None
    by = [name for name in request.GET.getlist("by") if name]
    try:
        measured = measure(read_log(log_directory()), own.funnel, by=by)
        found = mark_safe(measured._repr_html_())
    except LastclickError as problem:
        error = str(problem)
    context = {
        **admin.site.each_context(request),
        "title": f"Checkout: {own.funnel.name}",
        "report": found,
        "error": error,
        "stats": own.stats._asdict(),
    }
    return render(request, "lastclick/report.html", context)


urlpatterns = [path("", admin.site.admin_view(report), name="report")]
