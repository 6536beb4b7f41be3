"""What makes pods: deployments, replica sets, stateful sets, daemon sets, jobs, cron jobs, replication controllers."""
