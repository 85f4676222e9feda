"""Settings of every test: hypothesis prints the line that repeats a failure, and no example is too slow."""

from hypothesis import settings

settings.register_profile("wesnpu", print_blob=True, deadline=None)
settings.load_profile("wesnpu")
