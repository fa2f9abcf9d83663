"""The nightly batch: one chain of runs, stage after stage, each with its hour and its time budget."""
