"""Train, evaluate and publish purchase models on the warehouse's marts."""
