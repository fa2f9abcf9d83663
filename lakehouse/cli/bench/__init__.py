"""`lakehouse bench …`: how long things take, beside a yardstick measured in the same run."""
