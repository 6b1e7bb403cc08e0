"""Tables in a log that others keep, partitioned by prefix and compacted by key: the way past one machine.

What a record of the log is (`cells`, `written`, `read`), what a writer has in it (`writer`), and what a reader makes of
it (`reader`). There is no clock, no file and no network here, and nothing of the program that keeps the log. The rules
are in `spec/kafka.md`.
"""
