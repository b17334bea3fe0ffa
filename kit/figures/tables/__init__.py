"""Tables: of finished runs, of a data set's diagnosis, of settings; as text, Markdown, LaTeX, CSV and HTML.
Of `kit.figures`, imports `style` alone.
"""
