# YYChat alone: Python and what requirements-image.lock pins, run by nobody in particular.
# A tag and not a digest: see docker-compose.yml.
ARG PYTHON=3.11.14-slim-bookworm

FROM python:${PYTHON} AS build
# Where packages come from is for whoever builds to say; unset, pip knows.
ARG PIP_INDEX_URL
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
WORKDIR /build
RUN python -m venv /opt/yychat
COPY requirements-image.lock ./
# No compiler is here, and none is needed: wheels only.
RUN /opt/yychat/bin/pip install --require-hashes --only-binary :all: -r requirements-image.lock
COPY pyproject.toml README.md LICENSE ./
COPY src src
RUN /opt/yychat/bin/pip install --no-deps --no-build-isolation .

FROM python:${PYTHON}
LABEL org.opencontainers.image.title="YYChat" org.opencontainers.image.licenses="MIT"
# Whom these folders belong to is whom a volume belongs to that is first mounted there.
RUN groupadd --gid 10001 yychat \
    && useradd --uid 10001 --gid yychat --home-dir /var/lib/yychat --shell /usr/sbin/nologin yychat \
    && install -d -o yychat -g yychat -m 0700 /var/lib/yychat /srv/yychat/shared \
    && install -d -o yychat -g yychat -m 0755 /srv/yychat/alerting /srv/yychat/grafana /srv/yychat/postgres
COPY --from=build /opt/yychat /opt/yychat
# Beyond loopback it serves with keys only, unless YYCHAT_ALLOW_KEYLESS says otherwise.
ENV PATH=/opt/yychat/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    YYCHAT_HOST=0.0.0.0 \
    YYCHAT_METRICS_HOST=0.0.0.0 \
    YYCHAT_DATA_DIR=/var/lib/yychat
USER 10001:10001
WORKDIR /var/lib/yychat
VOLUME /var/lib/yychat
EXPOSE 8000 9464
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s --retries=3 \
    CMD ["python", "-c", "from http.client import HTTPConnection as C; from os import environ as e; c = C('127.0.0.1', int(e.get('YYCHAT_PORT') or 8000), timeout=4); c.request('GET', '/readyz'); exit(c.getresponse().status != 200)"]
ENTRYPOINT ["yychat"]
CMD ["serve"]
