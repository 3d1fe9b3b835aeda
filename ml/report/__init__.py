"""The report: what the warehouse and the models show, as a page and as slides.

`sql/` holds a query per picture, `facts.py` what is said about its rows, `texts.yml`
the sentences in English and Korean, `charts.py` how it is drawn, `bars.yml` what the
project is measured against.
"""
