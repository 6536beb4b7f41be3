"""What bench_iam.py is made of."""
