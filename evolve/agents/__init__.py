"""The task agents: fixed, never evolved."""
