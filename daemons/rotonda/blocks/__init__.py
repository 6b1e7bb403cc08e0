"""The block language: an operator writes one file, and modules, units, filters and RIBs run as it says.

From text to what runs: `parse` makes the syntax tree of `syntax`, `check` finds everything that is wrong in it and
lowers the rest to the `program` of typed blocks; filters in it are expressions of `typed`. Nothing here runs anything,
opens a file or needs numpy or Twisted, so that a file is checked as soon as the command is given.
"""
