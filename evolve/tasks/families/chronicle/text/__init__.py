"""The words that lives are told in: data, no logic."""
