"""The sample inputs that every clone gets through data.dvc, written by a generator of ours."""
