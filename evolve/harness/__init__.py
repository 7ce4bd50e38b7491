"""A memory that lasts: one memory program, the log of its writes, and what an agent needs around it.

`evolve export` copies this package into the one it makes, next to the program; it is also what checks run on before.
"""
