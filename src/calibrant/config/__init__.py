"""Settings: read once, frozen, and checked as a whole. The only layer that reads the environment."""
