"""The gate: what a batch must satisfy before a reader may see it, who judges it, and where refused rows go."""
