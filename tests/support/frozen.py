"""Imported last by the process that forks: what it has imported is no garbage of its forks'.

They would look at all of it, again and again, and each look copies the pages that it is on.
"""

import gc

gc.collect()
gc.freeze()
