"""What `trunkline topics create` and `trunkline schemas register` leave on real servers."""
import glob
import json

import pytest
from confluent_kafka.admin import AdminClient, ConfigResource, ResourceType

import support
from support import ROOT, wait_for

MAILBOXES, KEYED = 64, 12
TOPICS = {  # name: (partitions, settings)
    "presence.v1": (1, {"cleanup.policy": "delete", "retention.ms": "3600000"}),
    "media.v1": (MAILBOXES, {"retention.ms": "900000", "segment.ms": "60000"}),
    "playback.v1": (MAILBOXES, {"retention.ms": "900000", "segment.ms": "60000"}),
    "calls.v1": (KEYED, {"cleanup.policy": "delete", "retention.ms": str(30 * 86400000)}),
    "commands.v1": (KEYED, {"retention.ms": str(7 * 86400000)}),
    "config.v1": (1, {"cleanup.policy": "compact"}),
    "state.telephony.v1": (KEYED, {"cleanup.policy": "compact"}),
    "dead-letters.v1": (KEYED, {"retention.ms": str(30 * 86400000)}),
}


@pytest.fixture(scope="module")
def admin(topics):
    return AdminClient({"bootstrap.servers": topics.environment()["KAFKA_BROKERS"]})


def registry(topics, method, path, body=None):
    status, text = support.request(
        method, topics.environment()["SCHEMA_REGISTRY_URL"] + path, body,
        {"Content-Type": "application/vnd.schemaregistry.v1+json"})
    return status, json.loads(text)


@pytest.mark.parametrize("topic", TOPICS)
def test_topic_has_its_partitions_and_settings(admin, topic):
    partitions, wanted = TOPICS[topic]
    name = f"trunkline.{topic}"
    assert len(admin.list_topics(timeout=30).topics[name].partitions) == partitions
    resource = ConfigResource(ResourceType.TOPIC, name)
    settings = admin.describe_configs([resource])[resource].result()
    assert {k: settings[k].value for k in wanted} == wanted


def test_creating_topics_again_changes_nothing(admin, topics):
    before = {t: len(m.partitions) for t, m in admin.list_topics(timeout=30).topics.items()}
    support.trunkline("topics", "create", env=topics.environment())
    after = {t: len(m.partitions) for t, m in admin.list_topics(timeout=30).topics.items()}
    assert after == before


def test_topics_are_created_under_another_prefix(admin, topics):
    support.trunkline("topics", "create",
                      env={**topics.environment(), "TRUNKLINE_KAFKA_TOPIC_PREFIX": "other."})
    wanted = {f"other.{t}" for t in TOPICS}
    wait_for(lambda: wanted <= set(admin.list_topics(timeout=30).topics), "the topics")


def test_every_topic_has_its_schema_registered(topics):
    status, subjects = registry(topics, "GET", "/subjects")
    assert status == 200
    assert {f"trunkline.{t}-value" for t in TOPICS} <= set(subjects)


def test_registering_schemas_again_makes_no_version(topics):
    before = registry(topics, "GET", "/subjects/trunkline.calls.v1-value/versions")
    support.trunkline("schemas", "register", env=topics.environment())
    assert registry(topics, "GET", "/subjects/trunkline.calls.v1-value/versions") == before


def test_registered_text_is_the_schema_of_the_repository(topics):
    _, answer = registry(topics, "GET", "/subjects/trunkline.calls.v1-value/versions/latest")
    with open(f"{ROOT}/schemas/avro/call_event.avsc") as f:
        assert json.loads(answer["schema"])["name"] == json.load(f)["name"] == "CallEvent"


def test_registry_refuses_an_incompatible_schema(topics):
    """The compatibility level is set at deployment: without it anything is taken."""
    schema = {"type": "record", "name": "CallEvent", "namespace": "trunkline",
              "fields": [{"name": "unheard_of", "type": "long"}]}
    status, _ = registry(topics, "POST", "/subjects/trunkline.calls.v1-value/versions",
                         {"schema": json.dumps(schema)})
    assert status == 409


def test_tables_go_up_down_and_up(servers):
    """Every migration can be taken back, on the real server."""
    url = support.new_database(servers, "up_down_up")
    support.migrate(url, "up")
    migrations = glob.glob(f"{ROOT}/migrations/*.sql")
    assert migrations
    for _ in migrations:
        support.migrate(url, "rollback")
    left = servers.postgres.psql("up_down_up", "SELECT count(*) FROM pg_tables WHERE "
                                 "schemaname = 'public' AND tablename <> 'schema_migrations'")
    assert left == "0"
    support.migrate(url, "up")


@pytest.mark.parametrize("program", ["trunkline-ingest", "trunkline-processor", "trunkline-sink"])
def test_wrong_setting_is_named_with_file_and_line(program, tmp_path, topics):
    config = tmp_path / "trunkline.yaml"
    config.write_text("# first line\nkafka:\n  brokrs: 127.0.0.1:9092\n")
    path = f"{support.bin_folder()}/{program}"
    role = {"trunkline-processor": ["--role", "conversation"],
            "trunkline-sink": ["--role", "live"]}.get(program, [])
    done = support.run(path, "--config", config, "--check-config", *role,
                       env=topics.environment(), check=False)
    assert done.returncode == 2
    assert f"{config}:3: kafka.brokrs" in done.stderr
