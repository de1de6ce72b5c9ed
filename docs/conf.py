"""Settings of the documentation site; `make docs` builds it."""

import os
import re
import sys
from importlib.metadata import files as installed_files
from importlib.metadata import version as installed_version
from pathlib import Path

# Examples and pictures fit small models: more threads than one only get in each other's way.
os.environ.setdefault("OMP_NUM_THREADS", "1")

DOCS = Path(__file__).parent
sys.path.insert(0, str(DOCS / "_ext"))

project = "sklearn-rmsprop"
author = "sklearn-rmsprop developers"
project_copyright = author
version = release = installed_version("sklearn-rmsprop")

extensions = [
    "myst_parser",
    "numpydoc",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.mathjax",
    "sphinx_copybutton",
    "sphinx_design",
    "sphinx_gallery.gen_gallery",
    "gallery_look",
    "markdown_plot",
    "page_descriptions",
]
# Pages of examples that have been renamed or removed since the last build.
stale = [
    page
    for page in DOCS.glob("gallery/plot_*.rst")
    if not (DOCS / f"../examples/{page.stem}.py").exists()
]
exclude_patterns = ["_build", *(page.relative_to(DOCS).as_posix() for page in stale)]
templates_path = ["_templates"]
highlight_language = "none"  # of indented blocks: formulas and commands
default_role = "literal"  # `this` in docstrings

# Markdown
myst_enable_extensions = ["colon_fence", "deflist", "dollarmath"]
myst_heading_anchors = 4

# Formulas, without the reader's network: one file, copied from a package, that draws them without fonts
MATHJAX = next(
    file
    for file in installed_files("sphinx-mathjax-offline")
    if file.name == "tex-svg.js"
).locate()
mathjax_path = MATHJAX.name

# The reference, from docstrings
autosummary_generate = True
autodoc_typehints = "none"  # numpydoc's sections say more, and once is enough
numpydoc_show_class_members = False  # _templates/autosummary/class.rst shows them
numpydoc_xref_param_type = False
# Undocumented parameters and returned values, and public names without a docstring, are errors.
# The Dask class documents its own two parameters, and leaves the others to its parent.
numpydoc_validation_exclude = {r"\.DaskRMSpropRegressor$"}
numpydoc_validation_checks = {
    "GL01", "GL02", "GL03", "GL07", "GL08", "SS01", "SS05",
    "PR01", "PR02", "PR03", "PR04", "PR05", "PR07", "PR10", "RT01", "RT03", "YD01",
}  # fmt: skip

# The gallery, from examples/
sphinx_gallery_conf = {
    "examples_dirs": "../examples",
    "gallery_dirs": "gallery",
    "filename_pattern": r"plot_.*\.py$",
    "ignore_pattern": r"^(?!.*plot_)",
    "within_subsection_order": "FileNameSortKey",
    "doc_module": ("sklearn_rmsprop",),
    "backreferences_dir": "generated/backreferences",
    "image_scrapers": ("matplotlib",),
    "reset_modules": ("matplotlib", "gallery_look.reset"),
    "abort_on_example_error": True,
    "parallel": True,  # as many processes as sphinx-build's --jobs
    "write_computation_times": False,
    "download_all_examples": False,
    "show_signature": False,
    "capture_repr": (),
}

# Pictures of the guide; site.css adapts transparent ones to the dark theme
plot_rcparams = {"savefig.transparent": True}
plot_apply_rcparams = True
plot_include_source = False
plot_html_show_source_link = False
plot_html_show_formats = False
plot_formats = [("png", 120)]

html_theme = "pydata_sphinx_theme"
html_title = "sklearn-rmsprop"
html_sidebars = {"*": []}  # only the pages in folders have neighbours to list
html_static_path = ["_static", str(MATHJAX)]
html_css_files = ["site.css"]
html_js_files = [("tables.js", {"defer": "defer"})]
html_favicon = "_static/favicon.svg"
html_copy_source = False
html_show_sourcelink = False
html_context = {
    "default_mode": "auto",  # light or dark, as the reader's system
    "source_url": "https://github.com/sklearn-rmsprop/sklearn-rmsprop",
}
html_theme_options = {
    "header_links_before_dropdown": 4,
    "show_toc_level": 2,
    "navigation_with_keys": False,
    "navbar_end": ["project_links", "theme-switcher"],
    "footer_start": ["copyright"],
    "footer_end": [],
}


def link_from_docs(match):
    """Turn a link of a document in the root into the same link from a page of the site."""
    target = match["target"]
    page = target.lower()  # CHANGELOG.md is the page changelog.md
    if target.startswith("docs/"):
        target = target.removeprefix("docs/")
    elif (DOCS / page).exists():
        target = page
    else:
        target = f"../{target}"
    return f"]({target}"


def relink(app, path, page, content):
    """Let the links of CHANGELOG.md and CONTRIBUTING.md, which are written for the root, work in the pages of them."""
    if path.parent == Path(".."):
        content[0] = re.sub(
            r"\]\((?!https?:|#)(?P<target>[^)#]+)", link_from_docs, content[0]
        )


def setup(app):
    """Connect what is above."""
    app.connect("include-read", relink)
