"""The gateway: control compiles snapshots and watches over health; `proxy` is the data plane that serves them."""
