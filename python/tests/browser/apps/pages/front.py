"""The first page: nothing is cached here."""

import book

book.end_of_run()
