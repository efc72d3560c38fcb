def add_tests(suite, nats, weeks, compare_rows):
    pass
