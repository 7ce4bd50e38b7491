"""What was found, taken home: an installable package, with its card, its tests and its readiness check."""
