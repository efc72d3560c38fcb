package peer;

import org.apache.flink.configuration.Configuration;
import org.apache.flink.streaming.api.environment.StreamExecutionEnvironment;

/** The runtime inside this JVM. */
final class Local {
    private Local() {}

    /** Objects are handed on between chained operators as they are; buffers leave when they are full, because nobody waits for a single row. */
    static StreamExecutionEnvironment runtime(String slots) {
        Configuration settings = new Configuration();
        settings.setString("pipeline.object-reuse", "true");
        settings.setString("execution.buffer-timeout.enabled", "false");
        settings.setString("taskmanager.numberOfTaskSlots", slots);
        settings.setString("state.backend.type", "hashmap");
        return StreamExecutionEnvironment.createLocalEnvironment(Integer.parseInt(slots), settings);
    }
}
