"""What filters may look things up in: tables of files, RIBs, RPKI data.

A view never changes; when the data does, another view takes its place. Single questions are answered by records, those
about whole columns of prefixes by numbers of rows.
"""
