"""Parts of bench_kube."""
