# One image for every service of docker-compose.yml but Postgres and Redis: Airflow, dbt, Great Expectations and the
# S3 server are all in requirements.txt, pinned by hash.
FROM python:3.11-slim-bookworm

# git: dbt asks for it; procps: how the terminal commands find their own processes
RUN apt-get update && apt-get install -y --no-install-recommends git procps && rm -rf /var/lib/apt/lists/*

WORKDIR /opt/plumbline
COPY requirements.txt .
RUN pip install --no-cache-dir "$(sed -n 's/^\(uv==[^ ;]*\).*/\1/p' requirements.txt)" \
    && uv pip install --system --no-cache --require-hashes -r requirements.txt

COPY dags dags
COPY plugins plugins
COPY include include
COPY dbt_project dbt_project

# State and secrets are mounted; the image holds neither. Compose sets the user whose folders are mounted.
RUN useradd --uid 1000 --no-create-home plumbline
USER plumbline
ENV PYTHONPATH=/opt/plumbline PYTHONDONTWRITEBYTECODE=1 HOME=/tmp
CMD ["airflow", "version"]
