"""Who decides: names, parameters and the registry."""

from hybrid_ml_scheduler.policies.registry import PolicySpec, compile_policy, default_policies, list_policies, register_provider

__all__ = ["PolicySpec", "compile_policy", "default_policies", "list_policies", "register_provider"]
