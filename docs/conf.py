"""Settings of the documentation, built with `make docs`."""

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

# Pages link to headings of other pages, and define the glossary's words.
myst_enable_extensions = ["colon_fence", "deflist"]
myst_heading_anchors = 3

# Types stand in the signature only; members come in the order of the source.
autodoc_typehints = "signature"
autodoc_member_order = "bysource"
napoleon_numpy_docstring = False
