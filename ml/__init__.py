"""Train, evaluate and publish purchase models on the warehouse's marts."""

import os

# Threads of OpenMP (LightGBM, scikit-learn) that wait for each other spin by default:
# on a machine with other work to do a fit then takes several times as long. Must be set
# before the first of these libraries is loaded.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
