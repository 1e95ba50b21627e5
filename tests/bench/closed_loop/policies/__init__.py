"""Policies to compare: one file each, pure deciders that see what a team would see and answer with a retrain or with nothing.

River's adaptive random forest isn't here: it learns row by row, so it can be served only beside the product (sidecar mode).
"""
