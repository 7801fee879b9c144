"""Let the system run the service: launchd on macOS, systemd on Linux."""
