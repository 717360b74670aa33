"""Reading tables that nobody vouches for: comma-separated text in any usual encoding, and workbooks."""

from earlybird.importers.tables.reading.files import Cell, Formula, Table, open_table

__all__ = ["Cell", "Formula", "Table", "open_table"]
