"""All tests. How long an example takes to make says only how much else the machine has to do."""

from hypothesis import HealthCheck, settings

settings.register_profile("rotonda", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("rotonda")
