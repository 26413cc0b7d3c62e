"""What the pages of the demo share: the database, the ledger, the resources, the side panel."""
