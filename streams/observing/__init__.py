"""Stage: what another server was asked and answered to records from which serving goes on.

The model is served elsewhere. Its requests and answers come on topics, as one record or as two; two are brought together by
the request's id. Serving then treats the answer as the champion's score, and all that comes after is the same.
"""
