"""Pipelines on this machine, without a server: what ``delegate exec``, ``lint`` and ``plan`` do."""
