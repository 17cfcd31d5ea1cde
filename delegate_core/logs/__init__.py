"""The log path: mask, spool, batches."""
