"""What all suites share: Hypothesis draws the same examples everywhere, and never fails for want of speed."""

from hypothesis import HealthCheck, settings

settings.register_profile("calibrant", deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("calibrant")
