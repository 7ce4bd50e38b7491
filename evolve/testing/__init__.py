"""Contracts as test suites: every implementation of a seam, yours included, passes them. Needs pytest."""
