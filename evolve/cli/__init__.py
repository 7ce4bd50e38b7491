"""The command line: a thin layer over `evolve.session`. stdout is the result, progress goes to stderr."""
