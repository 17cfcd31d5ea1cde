"""The container engine: runs the steps of pipelines on a Docker Engine, or on Podman's compatible socket.

The modules, from the ground up:

- ``settings`` says where the engine is, ``connection`` opens a client for it, ``ssh`` reaches one on another machine,
- ``faults`` makes texts for people of what the client raises,
- ``labels`` names what is ours, ``removal`` takes it away,
- ``images`` fetches images, ``accounts`` knows with which account,
- ``configuration`` makes a container of a step, ``steptext`` its script,
- ``running`` sees one container through, ``place`` runs the steps of a stage,
- ``engine`` puts them together, ``plugin`` is the glue.
"""
