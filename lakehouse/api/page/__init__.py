"""The web page: one look at the whole platform, rendered here, without scripts and without anything from elsewhere."""
