"""Asking again what was recorded: through another variant, or an edited prompt."""
