"""What a reflector is shown: the constant part, the sections of one attempt, and the budget that they share."""
