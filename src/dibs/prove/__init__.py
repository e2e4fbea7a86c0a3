"""`dibs prove`: asks any sign-up for one name many times at once, and judges what it answers.

It knows nothing of the app but one address and what to send there, so that a doubter can have
their own app tried before anything is changed, and once more afterwards.
"""
