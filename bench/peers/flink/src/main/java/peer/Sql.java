package peer;

import java.nio.file.Files;
import java.nio.file.Path;
import org.apache.flink.table.api.bridge.java.StreamTableEnvironment;

/**
 * Runs scripts of Flink SQL, one behind the other, whose last statement is an insert, in a runtime inside this JVM: Sql SLOTS INPUT-FOLDER OUTPUT-FOLDER
 * SCRIPT…
 */
public final class Sql {
    private static final String SINK =
            "'connector' = 'filesystem', 'path' = '$output', 'format' = 'json', 'json.timestamp-format.standard' = 'ISO-8601'";

    private Sql() {}

    public static void main(String[] args) throws Exception {
        StreamTableEnvironment table = StreamTableEnvironment.create(Local.runtime(args[0]));
        for (int i = 3; i < args.length; i++) {
            String script = Files.readString(Path.of(args[i])).replaceAll("(?m)^--.*$", "");
            for (String statement : script.split(";")) {
                run(table, statement.replace("$sink", SINK).replace("$folder", args[1]).replace("$output", args[2]).strip());
            }
        }
    }

    private static void run(StreamTableEnvironment table, String statement) throws Exception {
        if (statement.startsWith("SET")) {
            String[] words = statement.split("'");
            table.getConfig().set(words[1], words[3]);
        } else if (statement.startsWith("INSERT")) {
            table.executeSql(statement).await();
        } else if (!statement.isEmpty()) {
            table.executeSql(statement);
        }
    }
}
