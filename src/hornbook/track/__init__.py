"""MLflow runs written from artifacts and their record."""
