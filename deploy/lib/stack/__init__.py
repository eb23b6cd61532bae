"""Trunkline's servers and services on one machine.

deploy/up and the integration tests start the same things through this package, so that nothing
is written twice. Python 3.11 of Debian 12, standard library only.
"""
