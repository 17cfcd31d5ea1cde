"""Where the steps of a pipeline run: what an engine is, the host engine, and the driver that runs a stage on one."""
