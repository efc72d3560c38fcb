"""The faults of a round, by name. Each is a function of the world that does its harm, waits a drawn while, and heals it.

`FAULTS[setting]` lists what a setting of servers can suffer. A fault may return a note for the results. None of them knows an answer: what must
come out is told by the recount alone.
"""

import signal
import threading
import time

from evs import Wire, wait_until
from publish import Refused, patiently


def moment(world, low, high):
    """Not a wait for a condition: how long a fault lasts is what is drawn."""
    time.sleep(world.random.uniform(low, high))


# --- processes --------------------------------------------------------------------------------------------------------------


def engine_killed(world):
    world.engine_kill()


def engine_stopped(world):
    world.engine_signal(signal.SIGSTOP)
    moment(world, 0.2, 3)
    world.engine_signal(signal.SIGCONT)


def engine_replaced(world):
    """Stopped, replaced by another one, woken: it must find itself fenced."""
    world.replace_engine(world.random.uniform(0.3, 2))


def engine_drained(world):
    world.engine_signal(signal.SIGTERM)
    wait_until(world.engine_was_replaced(), "a drain and a new start")


def redis_killed(world):
    world.redis.kill()
    moment(world, 0, 1)
    world.redis.start()


def redis_stopped(world):
    process = world.redis.process
    process.send_signal(signal.SIGSTOP)
    moment(world, 0.2, 4)
    process.send_signal(signal.SIGCONT)


def nats_killed(world):
    world.nats.kill()
    moment(world, 0, 1)
    world.nats.start()


def nats_stopped(world):
    process = world.nats.process
    process.send_signal(signal.SIGSTOP)
    moment(world, 0.2, 5)
    process.send_signal(signal.SIGCONT)


def servers_killed(world):
    world.redis.kill()
    world.nats.kill()
    world.redis.start()
    world.nats.start()


def engine_and_redis_killed(world):
    world.engine_kill()
    redis_killed(world)


def engine_and_nats_killed(world):
    world.engine_kill()
    nats_killed(world)


def all_killed(world):
    world.engine_kill()
    servers_killed(world)


def everything_stopped(world):
    """A machine that was suspended."""
    processes = [world.redis.process, world.nats.process]
    world.engine_signal(signal.SIGSTOP)
    for process in processes:
        process.send_signal(signal.SIGSTOP)
    moment(world, 0.5, 3)
    for process in world.random.sample(processes, 2):
        process.send_signal(signal.SIGCONT)
    world.engine_signal(signal.SIGCONT)


# --- connections ------------------------------------------------------------------------------------------------------------


def redis_connection_cut(world):
    for _ in range(world.random.randint(1, 8)):
        world.redis_proxy.cut()
        moment(world, 0, 0.3)


def nats_connection_cut(world):
    for _ in range(world.random.randint(1, 8)):
        world.nats_proxy.cut()
        moment(world, 0, 0.3)


def hold(world, proxy, low, high):
    proxy.flowing.clear()
    moment(world, low, high)
    if world.random.random() < 0.5:
        proxy.cut()
    proxy.flowing.set()


def redis_silent(world):
    """Longer than the 10 s that a reply may take, now and then."""
    hold(world, world.redis_proxy, 0.5, 4 if world.random.random() < 0.8 else 12)


def nats_silent(world):
    hold(world, world.nats_proxy, 0.5, 6)


def refuse(world, proxy):
    proxy.refusing = True
    proxy.cut()
    moment(world, 0.2, 3)
    proxy.refusing = False


def redis_refuses(world):
    refuse(world, world.redis_proxy)


def nats_refuses(world):
    refuse(world, world.nats_proxy)


def slow(world, proxy):
    proxy.bytes_a_second = world.random.choice((300_000, 2_000_000))
    moment(world, 1, 3)
    proxy.bytes_a_second = 0


def redis_slow(world):
    slow(world, world.redis_proxy)


def nats_slow(world):
    slow(world, world.nats_proxy)


# --- what Redis says --------------------------------------------------------------------------------------------------------


def redis_loading(world):
    """A restart that takes its time: LOADING until the file is read."""
    options = world.redis.options
    world.redis.kill()
    world.redis.options = (*options, "--key-load-delay", "1000", "--loading-process-events-interval-bytes", "1024")
    ready = threading.Thread(target=world.redis.start, daemon=True)
    ready.start()
    ready.join()
    world.redis.options = options
    world.redis.set(key_load_delay=0)


def redis_out_of_memory(world):
    world.redis.set(maxmemory=1)
    moment(world, 0.3, 3)
    world.redis.set(maxmemory=0)


def redis_read_only(world):
    """A replica of a master that is not there: writes are refused, the data stays."""
    world.redis.ask("REPLICAOF", "127.0.0.1", 1)
    moment(world, 0.3, 2)
    world.redis.ask("REPLICAOF", "NO", "ONE")


def redis_master_down(world):
    world.redis.set(replica_serve_stale_data="no")
    world.redis.ask("REPLICAOF", "127.0.0.1", 1)
    moment(world, 0.3, 2)
    world.redis.ask("REPLICAOF", "NO", "ONE")
    world.redis.set(replica_serve_stale_data="yes")


def redis_without_replicas(world):
    world.redis.set(min_replicas_to_write=1)
    moment(world, 0.3, 2)
    world.redis.set(min_replicas_to_write=0)


def redis_functions_flushed(world):
    for _ in range(world.random.randint(1, 5)):
        world.redis.ask("FUNCTION", "FLUSH")
        moment(world, 0, 0.3)


def redis_busy(world):
    """Somebody's script that does not end."""
    world.redis.set(busy_reply_threshold=100)
    script = threading.Thread(target=endless_script, args=(world,), daemon=True)
    script.start()
    moment(world, 0.5, 2)
    wait_until(lambda: killed_script(world), "the end of the script")
    script.join()


def endless_script(world):
    try:
        world.redis.ask("EVAL", "while true do end", 0)
    except (AssertionError, OSError):
        pass


def killed_script(world):
    try:
        world.redis.ask("SCRIPT", "KILL")
        return True
    except AssertionError as answer:
        return "NOTBUSY" in str(answer)


def redis_clients_killed(world):
    for _ in range(world.random.randint(1, 10)):
        world.redis.ask("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
        moment(world, 0, 0.2)


def redis_clients_limited(world):
    """The engine's place is taken when it comes back; this process keeps its own."""
    with Wire(world.redis.port, world.redis.host) as wire:
        wire.ask("CONFIG", "SET", "maxclients", 1)
        world.redis_proxy.cut()
        moment(world, 0.3, 2)
        wire.ask("CONFIG", "SET", "maxclients", 10000)


def redis_paused(world):
    """Commands wait: a fork of a large memory, a busy disk."""
    world.redis.ask("CLIENT", "PAUSE", world.random.randint(500, 4000), world.random.choice(("WRITE", "ALL")))


# --- disks ------------------------------------------------------------------------------------------------------------------


def redis_disk_full(world):
    world.redis_disk.fill()
    moment(world, 0.5, 3)
    world.redis_disk.free()
    if world.redis.process.poll() is not None:  # appendfsync always: it ends rather than lose a write
        world.redis.start()
    else:
        wait_until(lambda: "aof_last_write_status:ok" in world.redis.ask("INFO", "persistence"), "writes to the disk")


def nats_disk_full(world):
    """The server switches JetStream off, and needs a restart."""
    world.nats_disk.fill()
    moment(world, 0.5, 3)
    world.nats_disk.free()
    world.nats.kill()
    world.nats.start()


def lines_disk_full(world):
    world.lines_disk.fill()
    moment(world, 0.5, 3)
    world.lines_disk.free()


# --- power ------------------------------------------------------------------------------------------------------------------


def redis_power_cut(world):
    """With appendfsync always nothing that was answered is lost; with everysec about a second is."""
    lost = world.redis.power_cut()
    return f"{lost} bytes"


def redis_and_engine_power_cut(world):
    world.engine_kill()
    return redis_power_cut(world)


def nats_power_cut(world):
    return world.cut_nats_power(engine_too=False)


def nats_and_engine_power_cut(world):
    return world.cut_nats_power(engine_too=True)


# --- clocks -----------------------------------------------------------------------------------------------------------------


def engine_clock_jumps(world):
    """The wall clock an hour forth or back, the boot clock as if the machine had slept."""
    wall, boot = world.random.choice(((3600, 0), (-3600, 0), (86400 * 40, 0), (20, 20), (600, 600)))
    world.engine_shim.set_clock(wall, boot)
    moment(world, 0.3, 2)
    if world.random.random() < 0.5:
        world.engine_shim.set_clock(0, boot)  # time that was slept does not come back


def redis_clock_jumps(world):
    world.redis.shim.set_clock(world.random.choice((7200, -7200)), 0)
    if world.random.random() < 0.5:
        world.engine_kill()


# --- what JetStream does ----------------------------------------------------------------------------------------------------


def consumers_deleted(world):
    for _ in range(world.random.randint(1, 4)):
        names = patiently(world.nats_address, "CONSUMER.NAMES.CLICKS").get("consumers") or []
        for name in names:
            try:
                patiently(world.nats_address, f"CONSUMER.DELETE.CLICKS.{name}")
            except Refused:
                pass  # gone meanwhile
        moment(world, 0.1, 0.8)


def stream_purged(world):
    """The engine sleeps while the oldest half of what it has not read goes: it must say exactly what it could not read."""
    return world.purge()


def no_stream_for_triggers(world):
    """Nobody stores the triggers' subjects for a while: no responders."""
    info = patiently(world.nats_address, "STREAM.INFO.TRIGGERS")["config"]
    patiently(world.nats_address, "STREAM.UPDATE.TRIGGERS", **{**info, "subjects": ["elsewhere.>"]})
    moment(world, 0.5, 3)
    patiently(world.nats_address, "STREAM.UPDATE.TRIGGERS", **info)


def stream_of_triggers_full(world):
    """Room for some more, then none. A limit below what is stored would remove the oldest triggers, so it must still lie above when the server takes it."""
    info = patiently(world.nats_address, "STREAM.INFO.TRIGGERS")
    config = info["config"]
    patiently(world.nats_address, "STREAM.UPDATE.TRIGGERS", **{**config, "discard": "new", "max_msgs": info["state"]["messages"] + 3000})
    moment(world, 0.5, 3)
    patiently(world.nats_address, "STREAM.UPDATE.TRIGGERS", **config)
    after = patiently(world.nats_address, "STREAM.INFO.TRIGGERS")
    if after["state"]["first_seq"] != info["state"]["first_seq"]:
        raise RuntimeError("the limit was below what the stream held: this fault itself has removed triggers")


# --- other settings ---------------------------------------------------------------------------------------------------------


def partition(world, one, other):
    world.network.part(one, other)
    moment(world, 0.5, 6 if world.random.random() < 0.8 else 14)
    world.network.join(one, other)


def engine_parted_from_redis(world):
    partition(world, "engine", "redis")


def engine_parted_from_nats(world):
    partition(world, "engine", "nats")


def engine_parted_from_both(world):
    world.network.part("engine", "redis")
    partition(world, "engine", "nats")
    world.network.join("engine", "redis")


def parted_and_replaced(world):
    """The engine behind the partition is replaced; when the network is back it must find itself fenced."""
    world.replace_parted_engine()


def failover(world):
    old, new = world.redis.fail_over()
    return f"{old.port} to {new.port}"


def failover_and_engine_killed(world):
    world.engine_kill()
    return failover(world)


def slot_moved(world):
    for key in world.random.sample((f"evs:{{{world.name}:0}}:log", f"rows:{world.name}"), world.random.randint(1, 2)):
        world.redis.move(key, world.random)


def cluster_node_killed(world):
    world.redis.kill()
    moment(world, 0.2, 3)
    world.redis.start()


def cluster_functions_flushed(world):
    for node in world.redis.nodes:
        node.ask("FUNCTION", "FLUSH")


def nats_leader_killed(world):
    node = world.nats.leader(world.random.choice(("CLICKS", "TRIGGERS")), patiently)
    node.kill()
    moment(world, 1, 6)
    world.nats.start()


def nats_leader_steps_down(world):
    for stream in ("CLICKS", "TRIGGERS"):
        patiently(world.nats_address, f"STREAM.LEADER.STEPDOWN.{stream}")
        moment(world, 0, 1)


def nats_majority_killed(world):
    for node in world.random.sample(world.nats.nodes, 2):
        node.kill()
    moment(world, 0.5, 3)
    world.nats.start()


def nats_leader_stopped(world):
    node = world.nats.leader("CLICKS", patiently)
    node.process.send_signal(signal.SIGSTOP)
    moment(world, 2, 8)
    node.process.send_signal(signal.SIGCONT)


ENGINE = (engine_killed, engine_stopped, engine_replaced, engine_drained)
REDIS_SAYS = (redis_loading, redis_out_of_memory, redis_read_only, redis_master_down, redis_without_replicas, redis_functions_flushed, redis_busy,
              redis_clients_killed, redis_clients_limited, redis_paused)
JETSTREAM = (consumers_deleted, no_stream_for_triggers, stream_of_triggers_full)

FAULTS = {
    "kills": (*ENGINE, engine_killed, redis_killed, redis_stopped, nats_killed, nats_stopped, servers_killed, engine_and_redis_killed,
              engine_and_nats_killed, all_killed, everything_stopped),
    "connections": (*ENGINE[:2], redis_connection_cut, nats_connection_cut, redis_silent, nats_silent, redis_refuses, nats_refuses, redis_slow, nats_slow),
    "answers": (*ENGINE[:2], *REDIS_SAYS, *JETSTREAM),
    "purges": (stream_purged, consumers_deleted, nats_killed),
    "disks": (engine_killed, redis_disk_full, nats_disk_full, lines_disk_full),
    "power": (engine_killed, redis_power_cut, redis_and_engine_power_cut, nats_power_cut, nats_and_engine_power_cut),
    "clocks": (*ENGINE[:3], engine_clock_jumps, engine_clock_jumps, redis_clock_jumps, redis_killed),
    "partitions": (engine_killed, engine_parted_from_redis, engine_parted_from_nats, engine_parted_from_both, parted_and_replaced),
    "sentinel": (engine_killed, failover, failover, failover_and_engine_killed),
    "cluster": (engine_killed, slot_moved, slot_moved, cluster_node_killed, cluster_functions_flushed),
    "elections": (engine_killed, nats_leader_killed, nats_leader_steps_down, nats_majority_killed, nats_leader_stopped),
}
