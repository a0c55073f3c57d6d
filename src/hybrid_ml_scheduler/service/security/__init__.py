"""Who may use the service, and how much: keys, sign-ins, scopes, hosts, limits, uploads, the audit log.

Everything that a request meets before a route stands in `guard`; `install.guard` puts it in front of an application.
"""
