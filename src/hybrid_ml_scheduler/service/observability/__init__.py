"""How the service is watched: metrics, traces, logs, response times; and what makes answers small: conditional requests and compression."""
