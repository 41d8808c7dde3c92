"""Does it behave as the real OTP does?

Scenarios were recorded from Erlang/OTP and Elixir: what was done, and everything that
could be observed after each step. A replayer drives our rooms through the same steps on
a virtual clock and compares every observation::

    python -m tests.conformance supervisors tests/data/otp/supervisors.json.gz

Each kind of recording has a package of its own here; it offers ``check``, which replays
one scenario, and is listed in ``__main__``.
"""
