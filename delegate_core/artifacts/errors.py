"""What may keep an executable from being there."""

__all__ = ["ArtifactError"]


class ArtifactError(Exception):
    """It could not be fetched, is not what it should be, or cannot be kept. Says where, why, and what helps."""
