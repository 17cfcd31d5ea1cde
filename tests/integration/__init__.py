"""The command as a process, against servers on real sockets."""
