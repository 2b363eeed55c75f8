"""How every page of Headroom looks: the colours, one style sheet, and the choice of light or dark.

The report and the load generator's live page both take it from here.
"""
