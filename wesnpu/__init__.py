"""The command line, the demo and the report; what a user sees."""
