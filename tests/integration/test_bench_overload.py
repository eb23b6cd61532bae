"""The bench of overload in short: the served are unharmed, each refused one hears its sentence (show F)."""
import json
import os

import support


def test_each_refused_caller_hears_the_sentence_and_the_served_are_unharmed(servers, work):
    """Through the script itself, which fails when a sentence of anybody was not heard."""
    folder = f"{work}/bench-overload"
    os.makedirs(folder)
    os.chmod(folder, 0o755)
    env = {**servers.environment(), "DATABASE_URL": support.new_database(servers, "bench_overload"),
           "TRUNKLINE_KAFKA_TOPIC_PREFIX": "overload."}
    done = support.run(f"{support.ROOT}/tests/bench/overload", "--cap", "4", "--seconds", "10",
                       "--rate", "2", "--warm", "0", "--bin", support.bin_folder(), "--folder", folder,
                       env=env, timeout_s=280)
    line = json.loads(done.stdout.splitlines()[-1])
    assert (line["bench"], line["cap"], line["offered"]) == ("overload", 4, 8)
    assert line["refused"] == line["heard_sentence"] > 0
    assert 0 < line["served"] <= 4
    assert line["phrases_sent"] == line["phrases_heard"] > 0
    assert line["answers_sent"] == line["answers_heard"] > 0
    for part in (line, line["without"]):
        assert part["added_ms_in"]["p99"] is not None and part["added_ms_out"]["p99"] is not None
