"""The one exception that users see: the command line prints its text as a single line and ends with code 2."""


class WesnpuError(ValueError):
    """Input that cannot be used: the message names the node, file or field, its value and what is allowed."""
