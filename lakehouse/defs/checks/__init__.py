"""What must hold of the datasets themselves, whatever made them: looked at after every materialization."""
