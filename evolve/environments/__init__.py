"""Worlds that a task agent acts in, each game in a process of its own."""
