# The worker: `docker build -t parallelizework .`, or as a part of docker-compose.yml.
FROM python:3.11-slim AS builder

# The build backend is a program that pip must find on the PATH.
ENV PATH=/opt/parallelizework/bin:$PATH \
    PIP_DISABLE_PIP_VERSION_CHECK=1 \
    PIP_NO_CACHE_DIR=1 \
    PIP_ROOT_USER_ACTION=ignore
RUN python -m venv /opt/parallelizework
WORKDIR /src

COPY requirements.txt .
RUN pip install --require-hashes -r requirements.txt

COPY pyproject.toml README.md LICENSE ./
COPY parallelizework parallelizework
RUN pip install --no-deps --no-build-isolation . \
    && pip uninstall --yes uv_build setuptools pip


FROM python:3.11-slim

# Nothing is written at run time, so the root file system may be read-only.
ENV PATH=/opt/parallelizework/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1
COPY --from=builder /opt/parallelizework /opt/parallelizework
WORKDIR /app
COPY examples examples
# Where docker-compose.yml has files of rows: a new volume takes its owner from here.
RUN install --directory --owner=10001 --group=10001 /rows
# A number, so that Kubernetes' runAsNonRoot can check it.
USER 10001:10001
EXPOSE 9080

# No proxy: one that the environment names would not reach this container's loopback.
HEALTHCHECK --interval=5s --timeout=5s --start-period=20s CMD ["python", "-c", \
    "from urllib.request import ProxyHandler, build_opener as opener; opener(ProxyHandler({})).open('http://127.0.0.1:9080/health', timeout=4)"]
ENTRYPOINT ["parallelizework"]
CMD ["serve", "--bind", "0.0.0.0:9080"]
