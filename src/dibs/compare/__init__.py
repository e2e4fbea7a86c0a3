"""`dibs compare`: the strategies beside each other, measured where they are to run.

Every answer is checked while it is measured, every statement and every request to Redis is
counted where it is sent, and of all that nothing is left behind.
"""
