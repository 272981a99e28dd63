"""The workbook of a bureau: read, checked, stored, taken back."""
