"""The suites of tools/benchmark.py, one module each with a `measure(options)` that yields a list of
`Result`s for each comparison.
"""
