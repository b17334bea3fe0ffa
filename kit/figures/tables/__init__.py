"""Tables: of finished runs, of a data set's diagnosis, of settings; as text, Markdown, LaTeX, CSV and HTML.
Imports only `style` from `kit.figures`.
"""
