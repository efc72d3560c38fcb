package peer;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonToken;
import java.io.IOException;
import java.util.Set;
import org.apache.flink.api.common.typeinfo.TypeInformation;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.connector.file.src.reader.SimpleStreamFormat;
import org.apache.flink.core.fs.FSDataInputStream;

/** What the questions need of a click, bid, person or auction: one flat object, decoded by Jackson's streaming parser straight from the file's bytes. */
public class Event {
    public long time;
    public String type;
    public String user;
    public double amount;
    public long auction;
    public long bidder;
    public long price;
    public long id;
    public long seller;
    public String name;
    public String timeText;
    public String extra;

    /** Reads the members that are asked for; all others are skipped. */
    static final class Format extends SimpleStreamFormat<Event> {
        private static final JsonFactory FACTORY = new JsonFactory();
        private final Set<String> asked;

        Format(String... members) {
            asked = Set.of(members);
        }

        @Override
        public Reader<Event> createReader(Configuration settings, FSDataInputStream file) throws IOException {
            JsonParser parser = FACTORY.createParser(file);
            return new Reader<>() {
                private final Clock clock = new Clock();

                @Override
                public Event read() throws IOException {
                    return parser.nextToken() == null ? null : decode(parser, clock);
                }

                @Override
                public void close() throws IOException {
                    parser.close();
                }
            };
        }

        @Override
        public TypeInformation<Event> getProducedType() {
            return TypeInformation.of(Event.class);
        }

        private Event decode(JsonParser parser, Clock clock) throws IOException {
            Event event = new Event();
            for (String member; (member = parser.nextFieldName()) != null; ) {
                JsonToken value = parser.nextToken();
                if (asked.contains(member)) {
                    event.take(member, parser, clock);
                } else if (value.isStructStart()) {
                    parser.skipChildren();
                }
            }
            return event;
        }
    }

    private void take(String member, JsonParser parser, Clock clock) throws IOException {
        switch (member) {
            case "timestamp", "date_time" -> {
                timeText = parser.getText();
                time = clock.milliseconds(timeText);
            }
            case "event" -> type = parser.getText();
            case "user_id" -> user = parser.getText();
            case "properties" -> takePrice(parser);
            case "auction" -> auction = parser.getLongValue();
            case "bidder" -> bidder = parser.getLongValue();
            case "price" -> price = parser.getLongValue();
            case "id" -> id = parser.getLongValue();
            case "seller" -> seller = parser.getLongValue();
            case "name" -> name = parser.getText();
            case "extra" -> extra = parser.getText();
            default -> throw new IllegalArgumentException("no question needs " + member);
        }
    }

    private void takePrice(JsonParser parser) throws IOException {
        for (String member; (member = parser.nextFieldName()) != null; ) {
            JsonToken value = parser.nextToken();
            if (member.equals("price")) {
                amount = parser.getDoubleValue();
            } else if (value.isStructStart()) {
                parser.skipChildren();
            }
        }
    }

    /** Milliseconds of times such as 2015-07-15T00:00:00.000Z. The minute before the last one's seconds is remembered. */
    static final class Clock {
        private static final int MINUTE_LETTERS = 16;
        private String minute = "";
        private long minuteMs;

        long milliseconds(String text) {
            if (!text.startsWith(minute) || minute.isEmpty()) {
                minute = text.substring(0, MINUTE_LETTERS);
                minuteMs = java.time.Instant.parse(minute + ":00Z").toEpochMilli();
            }
            return minuteMs + digits(text, MINUTE_LETTERS + 1, 2) * 1000L + digits(text, MINUTE_LETTERS + 4, 3);
        }

        private static int digits(String text, int from, int count) {
            int number = 0;
            for (int i = from; i < from + count; i++) {
                number = number * 10 + (text.charAt(i) - '0');
            }
            return number;
        }
    }
}
