"""What a harness is put through before it is taken home, one module a question."""
