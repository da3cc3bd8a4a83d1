# One Dockerfile for development and production. The versions can be changed as build arguments; docker-compose.yml
# takes them, the user's ids and their names from the environment.
ARG PYTHON_VERSION=3.14
ARG POSTGRES_MAJOR=18

FROM postgres:${POSTGRES_MAJOR}-trixie AS postgres

FROM python:${PYTHON_VERSION}-slim-trixie AS base
ENV PATH=/opt/venv/bin:$PATH VIRTUAL_ENV=/opt/venv PYTHONUNBUFFERED=1 PIP_DISABLE_PIP_VERSION_CHECK=1 UV_LINK_MODE=copy
# Debian's images empty apt's cache after every install; here it is a cache mount. Manuals and translations stay out.
RUN rm -f /etc/apt/apt.conf.d/docker-clean \
    && { printf 'path-exclude=/usr/share/%s/*\n' doc locale man \
    && printf 'path-include=/usr/share/%s\n' 'doc/*/copyright' locale/locale.alias; } > /etc/dpkg/dpkg.cfg.d/without-documentation
WORKDIR /workspace

# The lock in parts: a new package is no reason to compile psycopg2 again, or to fetch uv.
FROM base AS lock
COPY requirements.txt requirements-dev.txt ./
RUN part() { name=$1 named=$2; shift 2; awk -v "name=^$name==" '/^[^ ]/ { named = $0 ~ name } named == '"$named" "$@"; } \
    && part uv 1 requirements-dev.txt > uv.txt \
    && part psycopg2 1 requirements.txt requirements-dev.txt > psycopg2.txt \
    && part setuptools 1 requirements-dev.txt > psycopg2-build.txt \
    && part psycopg2 0 requirements.txt > production.txt \
    && part psycopg2 0 requirements-dev.txt > development.txt
RUN ! grep -q ^psycopg2-binary *.txt \
    || ! echo "psycopg2-binary brings a libpq that gets no security updates: take psycopg2, which is compiled here."

FROM base AS uv
COPY --from=lock /workspace/uv.txt .
RUN --mount=type=cache,target=/root/.cache/pip pip install --quiet --root-user-action=ignore --require-hashes --target=/opt/uv -r uv.txt

# The compiler and the headers that psycopg2 is built with stay behind in this stage.
FROM base AS compiler
RUN --mount=type=cache,sharing=private,id=apt-compiler,target=/var/cache/apt --mount=type=cache,sharing=private,id=lists-compiler,target=/var/lib/apt/lists \
    apt-get update -qq && apt-get install -qq --no-install-recommends gcc libc6-dev libpq-dev

FROM compiler AS psycopg2
COPY --from=lock /workspace/psycopg2.txt /workspace/psycopg2-build.txt ./
RUN --mount=type=cache,target=/root/.cache/uv --mount=from=uv,source=/opt/uv,target=/opt/uv \
    mkdir /opt/psycopg2 && CFLAGS=-g0 /opt/uv/bin/uv pip install --quiet --compile-bytecode --target=/opt/psycopg2 \
    --no-binary=psycopg2 --require-hashes --require-build-hashes --build-constraint=psycopg2-build.txt --no-deps -r psycopg2.txt

FROM compiler AS builder
RUN python -m venv --without-pip /opt/venv
COPY --from=lock /workspace/production.txt /workspace/requirements-dev.txt ./
# What has no wheel is built with packages of the lock: add them to the group dev in pyproject.toml.
RUN --mount=type=cache,target=/root/.cache/uv --mount=from=uv,source=/opt/uv,target=/opt/uv \
    /opt/uv/bin/uv pip install --quiet --compile-bytecode --require-hashes --require-build-hashes --build-constraint=requirements-dev.txt --no-deps -r production.txt
COPY --from=psycopg2 /opt/psycopg2 /opt/psycopg2
RUN cp --archive /opt/psycopg2/. /opt/venv/lib/python*/site-packages

FROM base AS development-builder
# With pip this time, and writable by every uid: `pip install` works at once, without a rebuild.
RUN python -m venv /opt/venv
COPY --from=lock /workspace/production.txt /workspace/development.txt ./
# Most packages have a wheel, and are installed while the compiler comes for psycopg2. If one must be compiled, it comes
# here, too. What Django and the debugger have compiled, they need not have as source: 15 MB.
RUN --mount=type=cache,target=/root/.cache/uv --mount=from=uv,source=/opt/uv,target=/opt/uv \
    --mount=type=cache,sharing=private,id=apt-compiler,target=/var/cache/apt --mount=type=cache,sharing=private,id=lists-compiler,target=/var/lib/apt/lists \
    install() { /opt/uv/bin/uv pip install --quiet --compile-bytecode --require-hashes --no-deps -r production.txt -r development.txt; } \
    && { install || { echo "That failed, see above: trying again with a compiler." \
        && apt-get update -qq && apt-get install -qq --no-install-recommends gcc libc6-dev libpq-dev && install; }; } \
    && find /opt/venv -path '*/django/*.po' -delete -o -path '*/debugpy/*.c' -delete && chmod -R a+rwX /opt/venv
COPY --from=psycopg2 /opt/psycopg2 /opt/psycopg2
RUN chmod -R a+rwX /opt/psycopg2 && cp --archive /opt/psycopg2/. /opt/venv/lib/python*/site-packages

# Whatever the umask of the clone was, every uid can read this.
FROM base AS source
COPY app app
RUN chmod -R a+rX app

FROM base AS production
ENV PYTHONPATH=/workspace/app DJANGO_SETTINGS_MODULE=app.production
RUN --mount=type=cache,sharing=private,id=apt-production,target=/var/cache/apt --mount=type=cache,sharing=private,id=lists-production,target=/var/lib/apt/lists \
    apt-get update -qq && apt-get install -qq --no-install-recommends libpq5
COPY --from=builder /opt/venv /opt/venv
COPY deploy/gunicorn.conf.py deploy/healthcheck.py ./
COPY --from=source /workspace/app app
# Neither asks a database; the values are made up, and stay in this line.
RUN python -m compileall -q app \
    && SECRET_KEY=$(python -c 'import secrets; print(secrets.token_urlsafe(50))') ALLOWED_HOSTS=build DB_HOST=build DB_NAME=build DB_USER=build DB_PASS=build EMAIL_HOST=none \
    python app/manage.py collectstatic --no-input --verbosity 0
ARG SOURCE REVISION VERSION
LABEL org.opencontainers.image.source=$SOURCE org.opencontainers.image.revision=$REVISION org.opencontainers.image.version=$VERSION
USER 1000:1000
EXPOSE 8000
CMD ["gunicorn"]

FROM base AS development
RUN --mount=type=cache,sharing=private,id=apt-development,target=/var/cache/apt --mount=type=cache,sharing=private,id=lists-development,target=/var/lib/apt/lists \
    apt-get update -qq && apt-get install -qq --no-install-recommends git less liblz4-1 libpq5 libreadline8t64 libzstd1 openssh-client \
    && git config --system --add safe.directory /workspace
# Every new terminal says if the environment is not ready; a login shell has the same PATH.
RUN echo '[ ! -e /workspace/environment/setup.py ] || python /workspace/environment/setup.py --status' >> /etc/bash.bashrc \
    && echo "PATH=$PATH" > /etc/profile.d/venv.sh
# The client tools are the server's own, and so is their libpq: Debian's are of another version, and an older pg_dump
# refuses a newer server. The prefix 00- makes the linker search this folder first on every architecture.
COPY --from=postgres /usr/lib/postgresql/*/bin/psql /usr/lib/postgresql/*/bin/pg_dump /usr/lib/postgresql/*/bin/pg_isready /usr/lib/postgresql/*/bin/pg_restore /usr/local/bin/
COPY --from=postgres /usr/lib/*/libpq.so.5 /opt/postgresql/lib/
RUN echo /opt/postgresql/lib > /etc/ld.so.conf.d/00-postgresql.conf && ldconfig \
    && for tool in psql pg_dump pg_isready pg_restore; do \
        ! ldd "/usr/local/bin/$tool" | grep 'not found' && "$tool" --version || exit 1; \
    done
COPY --from=development-builder /opt/venv /opt/venv
ARG APP_UID=1000 APP_GID=1000
RUN groupadd --non-unique --gid "$APP_GID" app \
    && useradd --non-unique --uid "$APP_UID" --gid "$APP_GID" --create-home --shell /bin/bash app
USER app
