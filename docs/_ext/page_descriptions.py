"""A description of each page, which search engines and previews of links show: its title and its first paragraph.

A page that has a description of its own (`html_meta` in Markdown) keeps it.
"""

import re
from html import escape, unescape

from docutils import nodes

LONGEST = 160  # about what search engines show


def first_paragraph(doctree):
    """Return the text of the first paragraph that is no note, or None."""
    for paragraph in doctree.findall(nodes.paragraph):
        text = " ".join(paragraph.astext().split())
        in_note = isinstance(paragraph.parent, nodes.Admonition)
        if text and not in_note:
            return text
    return None


def shorten(text):
    """Return the sentences that fit; if not even the first does, as many words of it as fit."""
    if len(text) <= LONGEST:
        return text
    beginning = text[: LONGEST + 1]
    if (end := beginning.rfind(". ")) > LONGEST // 3:
        return beginning[: end + 1]
    return beginning[: beginning.rfind(" ")].rstrip(",;:") + " …"


def describe(app, name, template, context, doctree):
    """Add the description to the head of a page."""
    if doctree is None or 'name="description"' in context["metatags"]:
        return
    if (text := first_paragraph(doctree)) is not None:
        title = unescape(re.sub("<[^>]*>", "", context["title"]))
        content = escape(shorten(f"{title}: {text}".removesuffix(":")))
        context["metatags"] += f'\n<meta name="description" content="{content}" />'


def setup(app):
    """Describe pages when they are written."""
    app.connect("html-page-context", describe)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
