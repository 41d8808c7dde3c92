"""Does it hold for hours?

The whole demo system is put under a steady load with bursts, while a seeded plan takes its parts
away: agents crash, hang and are stopped, stores fail, circuits are opened by hand, buffers are
flooded, senders leave. Meanwhile it is measured, and afterwards judged: nothing may grow, get
lost, or stay where it is::

    python -m tests.soak --hours 4
    python -m tests.soak --hours 24 --virtual --json soak.json --plot soak.png

``_plan.py`` says what goes wrong when, and ``_faults.py`` does it; ``_load.py`` sends, and
``_ledger.py`` keeps account of what became of it; ``_samples.py`` measures, and ``_rules.py``
judges. ``_run.py`` puts it together.
"""
