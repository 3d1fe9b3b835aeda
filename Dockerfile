# A container for Vertex AI custom jobs (docs/vertex-ai.md) or any other runner of containers.
# It has not been built where this project is developed, for lack of a Docker engine; a test
# compares what it copies and installs with the project.
FROM python:3.11-slim

# LightGBM needs the OpenMP library
RUN apt-get update \
    && apt-get install -y --no-install-recommends libgomp1 \
    && rm -rf /var/lib/apt/lists/*

WORKDIR /app
COPY requirements.txt ./
RUN pip install --no-cache-dir --require-hashes -r requirements.txt

COPY pyproject.toml dbt_project.yml profiles.yml README.md ./
COPY analyses ./analyses
COPY macros ./macros
COPY ml ./ml
COPY models ./models
COPY seeds ./seeds
COPY tests ./tests

# the job writes model files and logs beside the code, everything else to TMPDIR
RUN useradd --create-home worker && chown worker /app
USER worker
ENV DBT_SEND_ANONYMOUS_USAGE_STATS=false \
    PYTHONUNBUFFERED=1

ENTRYPOINT ["python", "-m", "ml.vertex_job"]
