"""Admission webhooks: other programs that may change or refuse a write, asked over HTTPS (admission.k8s.io)."""
