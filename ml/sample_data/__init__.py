"""A synthetic sample world with the file formats of the competition.

Everything here is invented by a program: names of areas and genres come from the
project's translation seeds, the shape of the world from published statistics, all
else from a random generator. ``docs/sample-data.md`` describes the model.
"""
