"""Measuring programs: splits, the evaluation itself, and its statistics."""
