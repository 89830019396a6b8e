"""DOOR: the daemon. Ticks, signals, graceful stop, reload, systemd."""
