"""What the Dockerfile builds, and what it refuses to build."""

import json
import re

import pytest
from helpers.engine import PROGRAMS


@pytest.fixture(scope="module")
def clone(make_project):
    return make_project()


@pytest.fixture
def project(clone):
    clone.restore({})
    return clone


@pytest.fixture(scope="module")
def build(clone):
    """Build the clone's image, remove it when the module ends, and return its id, or the failed build's output."""
    images = []

    def build(*arguments, target="development", check=True):
        id_file = clone.folder.parent / f"{clone.name}.id"
        arguments = [f"--build-arg={argument}" for argument in arguments] + [
            f"--target={target}",
            f"--iidfile={id_file}",
        ]
        built = clone.run("docker", "build", "--progress=plain", *arguments, ".", check=check)
        if built.returncode:
            return built.stdout
        images.append(id_file.read_text())
        return images[-1]

    yield build
    clone.run("docker", "image", "rm", "--force", *set(images), check=False)


def in_image(project, image, command, check=True):
    return project.run("docker", "run", "--rm", "--network=none", image, "sh", "-c", command, check=check)


def layers(project, image):
    return json.loads(project.run("docker", "image", "inspect", image).stdout)[0]["RootFS"]["Layers"]


def test_psycopg2_is_compiled_against_debians_libpq(project, build):
    program = (PROGRAMS / "print_memory_map.py").read_text()
    run = ["docker", "run", "--rm", "--network=none", build(target="production"), "python", "-c", program]
    maps = project.run(*run).stdout
    (libpq,) = set(re.findall(r"\S*libpq\S*", maps))
    assert re.fullmatch(r"/usr/lib/[^/]+/libpq\.so\.5\S*", libpq)


def test_the_client_tools_are_the_servers_own(project, build):
    server = project.run(
        "docker", "run", "--rm", "--entrypoint=postgres", "postgres:18-trixie", "--version"
    ).stdout.split()[2]
    for tool in ("psql", "pg_dump", "pg_isready", "pg_restore"):
        assert in_image(project, build(), f"{tool} --version").stdout.split()[2] == server
    assert "/opt/postgresql/lib/libpq" in in_image(project, build(), "ldd /usr/local/bin/psql").stdout


@pytest.mark.parametrize("uid, gid", [(0, 0), (501, 20), (1500, 100)])
def test_the_user_takes_what_ids_the_host_has(project, build, uid, gid):
    image = build(f"APP_UID={uid}", f"APP_GID={gid}")
    assert in_image(project, image, "id -u; id -g; touch ~/x; stat -c %u:%g ~/x").stdout.split() == [
        str(uid), str(gid), f"{uid}:{gid}"
    ]  # fmt: skip
    assert layers(project, image)[:-1] == layers(project, build())[:-1]  # the ids come after the dependencies


def test_any_user_can_add_a_package_without_a_rebuild(project, build):
    project.run("docker", "run", "--rm", "--user=1500", "--network=none", build(), "sh", "-c",
                "touch /opt/venv/bin/x && cd /opt/venv/lib/python*/site-packages && touch x")  # fmt: skip


def test_a_package_without_a_wheel_is_compiled(project, build):
    lock = (project.folder / "requirements-dev.txt").read_text()
    project.write("requirements-dev.txt", lock + locked(project, build(), "spidev"))
    image = build()
    assert in_image(project, image, "python -c 'import spidev; print(spidev.__file__)'").stdout.strip().endswith(".so")
    assert in_image(project, image, "command -v gcc", check=False).returncode


def test_an_edit_does_not_rebuild_the_dependencies(project, build):
    before = layers(project, build()), layers(project, build(target="production"))
    project.write("app/app/urls.py", "# edited\n")
    after = layers(project, build()), layers(project, build(target="production"))
    assert after[0] == before[0]
    assert after[1][:-2] == before[1][:-2] and after[1][-1] != before[1][-1]  # the code, and its static files


def broken(project, build, path, pattern, replacement, target="builder"):
    """The output of the build that fails after the replacement in that file."""
    text = (project.folder / path).read_text()
    changed, count = re.subn(pattern, replacement, text, count=1)
    assert count == 1
    project.write(path, changed)
    return build(target=target, check=False)


@pytest.mark.parametrize("target", ["builder", "development-builder"])
def test_a_tampered_hash_fails_the_build(project, build, target):
    tampered = rf"\1    --hash=sha256:{'0' * 64}\n"
    output = broken(project, build, "requirements.txt", r"(sqlparse==.*\n)(?: +--hash.*\n)+", tampered, target)
    assert "Hash mismatch for `sqlparse" in output


@pytest.mark.parametrize(
    "hashes, said",
    [(f"    --hash=sha256:{'0' * 64}\n", "Hash mismatch for `setuptools"), ("", "hash")],
    ids=["tampered", "missing"],
)
def test_what_builds_psycopg2_is_hashed_too(project, build, hashes, said):
    lock = project.read("requirements-dev.txt")
    version = re.search(r"\nsetuptools==(\S+)", lock)[1]
    replacement = f"setuptools=={version}" + (f" \\\\\n{hashes}" if hashes else "\n")
    assert said in built_anew(project, build, replacement)


def test_what_builds_psycopg2_is_in_the_lock(project, build):
    assert "setuptools" in built_anew(project, build, "")


def built_anew(project, build, replacement):
    """The output of psycopg2's build with another line of setuptools; a wheel that was built before is not taken."""
    project.write("Dockerfile", project.read("Dockerfile").replace("CFLAGS=-g0", "UV_NO_CACHE=1 CFLAGS=-g0"))
    return broken(project, build, "requirements-dev.txt", r"setuptools==.*\n(?: +--hash.*\n)+", replacement, "psycopg2")


def locked(project, image, package):
    """The lines of a requirements file."""
    compile_it = f"echo {package} | uv pip compile --quiet --no-deps --no-header --generate-hashes -"
    return project.run("docker", "run", "--rm", image, "sh", "-c", compile_it).stdout


def test_a_binary_wheel_of_psycopg2_fails_the_build(project, build):
    binary = locked(project, build(), "psycopg2-binary").replace("\\", "\\\\")
    output = broken(project, build, "requirements.txt", r"psycopg2==.*\n(    --hash.*\n)+", binary)
    assert "take psycopg2, which is compiled here" in output


def test_a_client_tool_that_misses_a_library_fails_the_build(project, build):
    without_readline = r"RUN rm /usr/lib/*/libreadline.so.8*\n\g<0>"
    output = broken(project, build, "Dockerfile", "RUN echo /opt/postgresql", without_readline, "development")
    assert "libreadline.so.8 => not found" in output
