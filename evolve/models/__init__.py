"""Everything that talks to model providers. The broker is the only door; the rest of evolve sees `models.base`."""
