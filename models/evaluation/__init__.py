"""Measuring the models: what is good enough is said in figures, on data that nothing was fitted on."""
