"""`driftwake demo`: the whole loop on real data, New York flights of 2013."""
