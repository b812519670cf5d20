"""Members coming in (upsert, import), and the record of who did what."""
