"""For people with images: models by name, embeddings, galleries, export."""
