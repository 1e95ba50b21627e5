"""How the ledger's schema came to be. Run at open; shipped with the package."""
