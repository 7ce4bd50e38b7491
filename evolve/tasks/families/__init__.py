"""The built-in tasks: one class in one module each. A module that is put here is a task; nothing else is to be done."""
