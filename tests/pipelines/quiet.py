def add_tests(suite):
    pass
