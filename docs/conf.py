"""Settings of the documentation, built with `make docs`."""

import inspect
from importlib import import_module
from importlib.metadata import version as version_of

project = "lastclick"
author = "the lastclick authors"
copyright = author  # noqa: A001  # Sphinx reads this name
version = release = version_of("lastclick")

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "sphinx.ext.viewcode",
]
exclude_patterns = ["_build"]
html_theme = "furo"
html_title = f"lastclick {release}"
html_copy_source = False
add_module_names = False  # the sections say where a name is imported from

# Pages link to headings of other pages, and define the glossary's words.
myst_enable_extensions = ["colon_fence", "deflist"]
myst_heading_anchors = 3

# Types stand in the signature only, one argument a line where there are many; members come in
# the order of the source. A name in backticks is a link where it is a public name.
autodoc_typehints = "signature"
autodoc_member_order = "bysource"
python_maximum_signature_line_length = 80
napoleon_numpy_docstring = False
napoleon_use_ivar = True
napoleon_attr_annotations = False
default_role = "py:obj"

MODULES = (
    "",
    ".sinks",
    ".sinks.bodies",
    ".sinks.http",
    ".collect",
    ".metrics",
    ".logs",
    ".events",
    ".errors",
    ".privacy",
    ".testing",
    ".integrations.django",
    ".integrations.flask",
    ".integrations.asgi",
)
HOMES = {
    name: f"lastclick{module}.{name}"
    for module in reversed(MODULES)
    for name in import_module(f"lastclick{module}").__all__
}


def resolve(app, env, node, contnode):
    """Link a public name that a docstring writes without its module."""
    name, _, member = node.get("reftarget", "").partition(".")
    if node.get("refdomain") != "py" or name not in HOMES:
        return None
    target = f"{HOMES[name]}.{member}".rstrip(".")
    domain = env.get_domain("py")
    return domain.resolve_xref(env, node["refdoc"], app.builder, "obj", target, node, contnode)


def sign(app, what, name, obj, options, signature, returned):  # noqa: ARG001  # Sphinx calls it
    """Write a signature for readers: a model's fields by name, a default as one would type it."""
    if "Annotated[" in (signature or ""):
        fields = inspect.signature(obj).parameters.values()
        shown = [str(one.replace(annotation=one.empty)) for one in fields]
        return f"(*, {', '.join(shown)})", returned
    if signature and "<built-in function monotonic>" in signature:
        plain = signature.replace("<built-in function monotonic>", "time.monotonic")
        return plain.replace("datetime.timedelta(", "timedelta("), returned
    return ("" if signature == "(*args, **kwargs)" else signature), returned


def setup(app):
    app.connect("autodoc-process-signature", sign)
    app.connect("missing-reference", resolve)
