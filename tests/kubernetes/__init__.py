"""The manifests of deploy/kubernetes: their fields, and their containers."""
