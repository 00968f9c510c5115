"""All services on one host by Docker or Podman Compose."""
