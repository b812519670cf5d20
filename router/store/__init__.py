"""The ledger: engine, tables, migrations and named statements. SQLite and PostgreSQL, one set of tables for both."""
