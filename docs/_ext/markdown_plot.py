"""The directive `plot` for Markdown pages: matplotlib's own hands its result to reStructuredText's parser only."""

from docutils import nodes
from docutils.statemachine import StringList
from matplotlib.sphinxext.plot_directive import PlotDirective

# What the directive writes into the page, in place of matplotlib's reStructuredText.
TEMPLATE = """
{% for image in images %}
```{image} {{ build_dir }}/{{ image.basename }}.png
{% for option in options -%}
{{ option }}
{% endfor -%}
```
{% endfor %}
"""


class MarkdownPlot(PlotDirective):
    """Run a script and show its figures: ```` ```{plot} guide/pictures/name.py ````, the path from docs/.

    The text of `:alt:` may go on in the following lines, which Markdown's parser hands over as the content.
    """

    def run(self):
        """Return the images, and errors of the script."""
        if "alt" not in self.options:
            raise self.error(
                "A picture needs :alt:, a text for those who cannot see it."
            )
        self.options["alt"] = " ".join(
            [self.options["alt"], *(line.strip() for line in self.content)]
        )
        self.content = StringList()
        lines = []
        self.state_machine.insert_input = lambda page, source: lines.extend(page)
        errors = super().run()
        images = nodes.container()
        self.state.nested_parse(StringList(lines), self.content_offset, images)
        return [*errors, *images.children]


def setup(app):
    """Take matplotlib's settings, and the place of its directive."""
    app.setup_extension("matplotlib.sphinxext.plot_directive")
    app.add_directive("plot", MarkdownPlot, override=True)
    app.config["plot_template"] = TEMPLATE
    return {"parallel_read_safe": True}
