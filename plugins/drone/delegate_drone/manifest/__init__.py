"""Reading `.drone.yml`: documents, what they say, and everything that is wrong with them."""

from delegate_drone.manifest.conditions import Condition, Conditions, RunPolicy
from delegate_drone.manifest.globs import matches_glob
from delegate_drone.manifest.loading import Document, Manifest, load_manifest
from delegate_drone.manifest.models import (
    Clone,
    Content,
    Dependency,
    Device,
    Foreign,
    Pipeline,
    Platform,
    Secret,
    Signature,
    Step,
    Volume,
    VolumeMount,
    Workspace,
)
from delegate_drone.manifest.nodes import Mark
from delegate_drone.manifest.problems import Problem, Severity
from delegate_drone.manifest.substitution import SubstitutionError, substitute
from delegate_drone.manifest.values import EnvironmentValue, SecretRef, Setting, Value

__all__ = [
    "Clone",
    "Condition",
    "Conditions",
    "Content",
    "Dependency",
    "Device",
    "Document",
    "EnvironmentValue",
    "Foreign",
    "Manifest",
    "Mark",
    "Pipeline",
    "Platform",
    "Problem",
    "RunPolicy",
    "Secret",
    "SecretRef",
    "Setting",
    "Severity",
    "Signature",
    "Step",
    "SubstitutionError",
    "Value",
    "Volume",
    "VolumeMount",
    "Workspace",
    "load_manifest",
    "matches_glob",
    "substitute",
]
