"""Where files become rows: CSV, XLSX and ODS are opened, mapped to fields and validated; nothing is written here."""
