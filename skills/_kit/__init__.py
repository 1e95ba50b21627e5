"""What all skills share: the contract, errors, frames, metrics, boosting and the search for windows."""
