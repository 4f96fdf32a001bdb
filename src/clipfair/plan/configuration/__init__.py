"""The typed model of the configuration: every key, its default, its checks and its description."""
