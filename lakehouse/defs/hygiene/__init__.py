"""What may go: old runs and their logs, snapshots and files of the lake, landed objects where that is declared."""
