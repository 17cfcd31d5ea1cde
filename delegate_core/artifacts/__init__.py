"""Where executables come from when they are not on this machine: downloads and git repositories, in one cache.

- ``sources`` says what may be declared,
- ``platforms`` what this machine is,
- ``download`` and ``git`` fetch, ``unpack`` unpacks,
- ``cache`` keeps the outcome, ``locking`` and ``manifest`` make that safe,
- ``acquire`` puts them together: a source in, the path of a program out. It is imported where something is fetched,
  since it needs an HTTP library that nothing else may need.
"""

from delegate_core.artifacts.cache import ArtifactCache, CacheEntry, default_cache_folder
from delegate_core.artifacts.errors import ArtifactError
from delegate_core.artifacts.site import Site
from delegate_core.artifacts.sources import Download, GitRepository, PlatformDownload

__all__ = [
    "ArtifactCache",
    "ArtifactError",
    "CacheEntry",
    "Download",
    "GitRepository",
    "PlatformDownload",
    "Site",
    "default_cache_folder",
]
