"""Tables, plots and the one page that shows where every number came from."""
