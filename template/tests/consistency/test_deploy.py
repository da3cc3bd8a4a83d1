"""The files of deploy/ keep to the contract: what docs/deploy.md tells any engine."""

import re

import pytest
import yaml
from helpers.engine import ROOT
from helpers.production import VARIABLES

GUIDE = (ROOT / "docs/deploy.md").read_text()
STACK = yaml.safe_load((ROOT / "deploy/stack.yml").read_text())["services"]
OBJECTS = {item["kind"]: item for item in yaml.safe_load_all((ROOT / "deploy/kubernetes.yml").read_text())}
JOB, POD = (OBJECTS[kind]["spec"]["template"]["spec"] for kind in ("Job", "Deployment"))
PROXY = (ROOT / "deploy/haproxy.cfg").read_text()
SERVER = (ROOT / "deploy/gunicorn.conf.py").read_text()
MIGRATE = "python app/manage.py wait_for_db --migrate"
DOCUMENTED = {
    name for row in re.findall(r"^\| (`[A-Z_`, ]+) \|", GUIDE, re.MULTILINE) for name in re.findall(r"\w+", row)
}


def constant(name):
    return int(re.search(rf"^{name} = (\d+)", SERVER, re.MULTILINE)[1])


def test_the_job():
    assert f"`{MIGRATE}`" in GUIDE
    assert STACK["migrate"]["command"].startswith(MIGRATE)
    assert " ".join(JOB["containers"][0]["args"]).startswith(MIGRATE)


def test_the_port():
    assert 'env_int("PORT", 8000)' in SERVER and "tasks.web:8000" in PROXY
    (container,) = POD["containers"]
    assert container["ports"] == [{"name": "http", "containerPort": 8000}]
    assert OBJECTS["Service"]["spec"]["ports"][0]["targetPort"] == "http"
    assert (
        OBJECTS["Service"]["spec"]["selector"].items()
        <= OBJECTS["Deployment"]["spec"]["template"]["metadata"]["labels"].items()
    )


def test_the_probes():
    (container,) = POD["containers"]
    paths = {name: container[f"{name}Probe"]["httpGet"]["path"] for name in ("startup", "readiness", "liveness")}
    assert paths == {"startup": "/readyz", "readiness": "/readyz", "liveness": "/livez"}
    assert "option httpchk GET /readyz" in PROXY
    assert STACK["web"]["healthcheck"]["test"] == ["CMD", "python", "healthcheck.py"]


def test_the_end_has_the_time_that_it_needs():
    """Draining, and what is in flight."""
    needed = constant("graceful_timeout")
    draining = int(re.search(r'env_int\("DRAIN_SECONDS", (\d+)\)', SERVER)[1])
    assert int(STACK["web"]["stop_grace_period"].removesuffix("s")) >= draining + needed
    (container,) = POD["containers"]
    assert {"name": "DRAIN_SECONDS", "value": "0"} in container["env"]
    draining = container["lifecycle"]["preStop"]["sleep"]["seconds"]
    assert POD["terminationGracePeriodSeconds"] >= draining + needed


def test_the_proxy_closes_idle_connections_first_and_queues_what_the_threads_cannot_take():
    idle = int(re.search(r"pool-purge-delay (\d+)s", PROXY)[1])
    assert idle < constant("keepalive")
    processes = int(re.search(r'env_int\("WEB_CONCURRENCY", (\d+)\)', SERVER)[1])
    assert f"maxconn {processes * constant('threads')} " in PROXY


@pytest.mark.parametrize("variables", [
    set(STACK["web"]["environment"]),
    set(OBJECTS["ConfigMap"]["data"]) | {"SECRET_KEY", "DB_PASS"},
], ids=["stack", "kubernetes"])  # fmt: skip
def test_each_variable_is_documented_and_none_that_is_required_is_missing(variables):
    assert {name.removesuffix("_FILE") for name in variables} <= DOCUMENTED
    assert set(VARIABLES) <= {name.removesuffix("_FILE") for name in variables}


def test_all_of_it_is_hardened():
    for service in (STACK["web"], STACK["migrate"], STACK["proxy"]):
        assert service["read_only"] is True and service["cap_drop"] == ["ALL"]
        assert service["deploy"]["resources"]["limits"]["pids"]
    for service in (STACK["web"], STACK["migrate"]):
        assert [volume["target"] for volume in service["volumes"]] == ["/tmp"], "for uploads"
    for pod in (JOB, POD):
        assert pod["containers"][0]["volumeMounts"] == [{"name": "tmp", "mountPath": "/tmp"}]
        assert pod["securityContext"]["runAsNonRoot"] is True and pod["securityContext"]["runAsUser"] == 1000
        (container,) = pod["containers"]
        assert container["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }


def test_job_and_replicas_are_of_one_image_and_one_environment():
    (job,), (web,) = JOB["containers"], POD["containers"]
    for key in ("image", "envFrom", "securityContext", "volumeMounts"):
        assert job[key] == web[key]
    assert STACK["migrate"]["image"] == STACK["web"]["image"]
    assert STACK["migrate"]["environment"] == STACK["web"]["environment"]


@pytest.mark.parametrize("page", ["kamal", "fly", "cloud-run"])
def test_each_page_names_what_the_contract_names(page):
    text = (ROOT / f"docs/deploy/{page}.md").read_text()
    assert set(VARIABLES) <= set(re.findall(r"[A-Z_]+", text))
    assert MIGRATE in text.replace(",", " ").replace("--command python --args", "python") and "/readyz" in text
    assert "8000" in text and "FORWARDED_ALLOW_IPS" in text and "**Not tried**" in text
