"""From a model's table to the provider that speaks to it."""

from __future__ import annotations

from evolve.config import ModelTable
from evolve.models.base import Note, Provider


def make_provider(table: ModelTable, note: Note) -> Provider:
    """Return the provider of a model; its SDK is imported only here.

    Raises PrerequisiteError where the key is missing; nothing is sent yet.
    """
    if table.model.startswith("anthropic:"):
        from evolve.models.anthropic import AnthropicProvider

        return AnthropicProvider(table, note)
    from evolve.models.openai import OpenAIProvider

    return OpenAIProvider(table, note)
