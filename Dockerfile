# One Dockerfile for development and production. The versions can be changed as build arguments; docker-compose.yml
# takes them, the user's ids and their names from the environment.
ARG PYTHON_VERSION=3.14
ARG POSTGRES_MAJOR=18

FROM postgres:${POSTGRES_MAJOR}-trixie AS postgres

FROM python:${PYTHON_VERSION}-slim-trixie AS base
ENV PATH=/opt/venv/bin:$PATH VIRTUAL_ENV=/opt/venv PYTHONUNBUFFERED=1 PIP_DISABLE_PIP_VERSION_CHECK=1
# Debian's images empty apt's cache after every install; here it is a cache mount.
RUN --mount=type=cache,sharing=locked,target=/var/cache/apt --mount=type=cache,sharing=locked,target=/var/lib/apt/lists \
    rm -f /etc/apt/apt.conf.d/docker-clean \
    && apt-get update -qq && apt-get install -qq --no-install-recommends libpq5
WORKDIR /workspace

# The compiler and the headers that psycopg2 is built with stay behind in this stage.
FROM base AS builder
RUN --mount=type=cache,sharing=locked,target=/var/cache/apt --mount=type=cache,sharing=locked,target=/var/lib/apt/lists \
    apt-get update -qq && apt-get install -qq --no-install-recommends gcc libc6-dev libpq-dev
RUN python -m venv --without-pip /opt/venv
COPY requirements.txt .
RUN --mount=type=cache,target=/root/.cache/pip \
    /usr/local/bin/pip --python /opt/venv/bin/python install --require-hashes --no-binary psycopg2 -r requirements.txt
# A binary wheel brings a libpq of its own; ours is Debian's, which gets its security updates.
RUN python -c "import psycopg2; libpq = [line.split()[-1] for line in open('/proc/self/maps') if 'libpq' in line]; \
assert libpq and not any('site-packages' in path for path in libpq), f'psycopg2 is not compiled here, it loads {libpq}'"

FROM builder AS development-builder
COPY requirements-dev.txt .
# With pip this time, and writable by every uid: `pip install` works at once, without a rebuild.
RUN --mount=type=cache,target=/root/.cache/pip \
    python -m venv /opt/venv && pip install --require-hashes -r requirements-dev.txt && chmod -R a+rwX /opt/venv

# Whatever the umask of the clone was, every uid can read this.
FROM base AS source
COPY app app
RUN chmod -R a+rX app

FROM base AS production
COPY --from=builder /opt/venv /opt/venv
ARG APP_UID=1000 APP_GID=1000
RUN groupadd --non-unique --gid "$APP_GID" app && useradd --non-unique --uid "$APP_UID" --gid "$APP_GID" --create-home app
COPY --from=source /workspace/app app
USER app

FROM base AS development
RUN --mount=type=cache,sharing=locked,target=/var/cache/apt --mount=type=cache,sharing=locked,target=/var/lib/apt/lists \
    apt-get update -qq && apt-get install -qq --no-install-recommends git less liblz4-1 libreadline8t64 libzstd1 openssh-client \
    && git config --system --add safe.directory /workspace
# Every new terminal says if the environment is not ready; a login shell has the same PATH.
RUN echo '[ ! -e /workspace/environment/setup.py ] || python /workspace/environment/setup.py --status' >> /etc/bash.bashrc \
    && echo "PATH=$PATH" > /etc/profile.d/venv.sh
# The client tools are the server's own, and so is their libpq: Debian's are of another version, and an older pg_dump
# refuses a newer server. The prefix 00- makes the linker search this folder first on every architecture.
COPY --from=postgres /usr/lib/postgresql/*/bin/psql /usr/lib/postgresql/*/bin/pg_dump /usr/lib/postgresql/*/bin/pg_restore /usr/local/bin/
COPY --from=postgres /usr/lib/*/libpq.so.5 /opt/postgresql/lib/
RUN echo /opt/postgresql/lib > /etc/ld.so.conf.d/00-postgresql.conf && ldconfig \
    && for tool in psql pg_dump pg_restore; do \
        ! ldd "/usr/local/bin/$tool" | grep 'not found' && "$tool" --version || exit 1; \
    done
COPY --from=development-builder /opt/venv /opt/venv
ARG APP_UID=1000 APP_GID=1000
RUN groupadd --non-unique --gid "$APP_GID" app \
    && useradd --non-unique --uid "$APP_UID" --gid "$APP_GID" --create-home --shell /bin/bash app
USER app
