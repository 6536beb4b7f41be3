"""The holes of reference/kubesphere-core.md 8.3 and 8.4 and of the peers (peers.md, pain 21) as attacks: each by a real
client through a real gateway. Those on OAuth stand in tests/platform."""
