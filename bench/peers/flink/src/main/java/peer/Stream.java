package peer;

import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import org.apache.flink.api.common.eventtime.WatermarkStrategy;
import org.apache.flink.api.common.functions.AggregateFunction;
import org.apache.flink.api.common.functions.CoGroupFunction;
import org.apache.flink.api.common.serialization.SimpleStringEncoder;
import org.apache.flink.api.common.typeinfo.Types;
import org.apache.flink.api.java.tuple.Tuple2;
import org.apache.flink.api.java.tuple.Tuple3;
import org.apache.flink.api.java.tuple.Tuple5;
import org.apache.flink.connector.file.sink.FileSink;
import org.apache.flink.connector.file.src.FileSource;
import org.apache.flink.core.fs.Path;
import org.apache.flink.streaming.api.datastream.DataStream;
import org.apache.flink.streaming.api.environment.StreamExecutionEnvironment;
import org.apache.flink.streaming.api.functions.sink.filesystem.bucketassigners.BasePathBucketAssigner;
import org.apache.flink.streaming.api.functions.windowing.ProcessAllWindowFunction;
import org.apache.flink.streaming.api.functions.windowing.ProcessWindowFunction;
import org.apache.flink.streaming.api.windowing.assigners.SlidingEventTimeWindows;
import org.apache.flink.streaming.api.windowing.assigners.TumblingEventTimeWindows;
import org.apache.flink.streaming.api.windowing.windows.TimeWindow;
import org.apache.flink.util.Collector;

/** The questions by the DataStream API, in a runtime inside this JVM: Stream SLOTS INPUT-FOLDER OUTPUT-FOLDER QUESTION. */
public final class Stream {
    private static final Duration TEN_SECONDS = Duration.ofSeconds(10);
    private static final Duration TWO_SECONDS = Duration.ofSeconds(2);

    private final StreamExecutionEnvironment runtime;
    private final String folder;

    private Stream(StreamExecutionEnvironment runtime, String folder) {
        this.runtime = runtime;
        this.folder = folder;
    }

    public static void main(String[] args) throws Exception {
        StreamExecutionEnvironment runtime = Local.runtime(args[0]);
        Stream at = new Stream(runtime, args[1]);
        DataStream<String> answer =
                switch (args[3]) {
                    case "yardstick" -> at.yardstick();
                    case "q1" -> at.q1();
                    case "q2" -> at.q2();
                    case "q5" -> at.q5();
                    case "q7" -> at.q7();
                    case "q8" -> at.q8();
                    default -> throw new IllegalArgumentException(args[3]);
                };
        answer.sinkTo(FileSink.forRowFormat(new Path(args[2]), new SimpleStringEncoder<String>()).withBucketAssigner(new BasePathBucketAssigner<>()).build());
        runtime.execute();
    }

    private DataStream<Event> events(String file, Duration delay, String... members) {
        FileSource<Event> source = FileSource.forRecordStreamFormat(new Event.Format(members), new Path(folder, file + ".ndjson")).build();
        WatermarkStrategy<Event> times = WatermarkStrategy.<Event>forBoundedOutOfOrderness(delay).withTimestampAssigner((event, ignored) -> event.time);
        return runtime.fromSource(source, times, file);
    }

    private DataStream<Event> bids(String... members) {
        return events("bid", Duration.ZERO, members);
    }

    /** Only what the window needs crosses to its task: user and price; the time goes with each record anyway. */
    private DataStream<String> yardstick() {
        return events("clicks", Duration.ofSeconds(5), "event", "timestamp", "user_id", "properties")
                .filter(click -> click.type.equals("product_view") || click.type.equals("add_to_cart") || click.type.equals("purchase"))
                .map(click -> Tuple2.of(click.user, click.amount))
                .returns(Types.TUPLE(Types.STRING, Types.DOUBLE))
                .keyBy(click -> click.f0)
                .window(TumblingEventTimeWindows.of(Duration.ofMinutes(1)))
                .aggregate(new Total(), new TotalText());
    }

    private static final class Total implements AggregateFunction<Tuple2<String, Double>, Tuple2<Long, Double>, Tuple2<Long, Double>> {
        @Override
        public Tuple2<Long, Double> createAccumulator() {
            return Tuple2.of(0L, 0.0);
        }

        @Override
        public Tuple2<Long, Double> add(Tuple2<String, Double> click, Tuple2<Long, Double> total) {
            total.f0++;
            total.f1 += click.f1;
            return total;
        }

        @Override
        public Tuple2<Long, Double> getResult(Tuple2<Long, Double> total) {
            return total;
        }

        @Override
        public Tuple2<Long, Double> merge(Tuple2<Long, Double> one, Tuple2<Long, Double> other) {
            return Tuple2.of(one.f0 + other.f0, one.f1 + other.f1);
        }
    }

    private static final class TotalText extends ProcessWindowFunction<Tuple2<Long, Double>, String, String, TimeWindow> {
        @Override
        public void process(String user, Context context, Iterable<Tuple2<Long, Double>> totals, Collector<String> out) {
            Tuple2<Long, Double> total = totals.iterator().next();
            Instant start = Instant.ofEpochMilli(context.window().getStart());
            out.collect("{\"user_id\":\"" + user + "\",\"window_start\":\"" + start + "\",\"events\":" + total.f0 + ",\"value\":" + total.f1 + "}");
        }
    }

    private DataStream<String> q1() {
        return bids("auction", "bidder", "price", "date_time", "extra")
                .map(bid -> bidText(bid.auction, "" + 0.908 * bid.price, bid.bidder, bid.timeText, bid.extra));
    }

    /** Texts of the generator have nothing to escape. */
    private static String bidText(long auction, String price, long bidder, String time, String extra) {
        return "{\"auction\":" + auction + ",\"price\":" + price + ",\"bidder\":" + bidder + ",\"date_time\":\"" + time + "\",\"extra\":\"" + extra + "\"}";
    }

    private DataStream<String> q2() {
        return bids("auction", "price")
                .filter(bid -> bid.auction % 123 == 0)
                .map(bid -> "{\"auction\":" + bid.auction + ",\"price\":" + bid.price + "}");
    }

    /** Counts of two seconds first, so that a bid touches one window and not five; sums of five of them; and of those the highest of each window. */
    private DataStream<String> q5() {
        return bids("auction", "date_time")
                .map(bid -> Tuple2.of(bid.auction, 1L))
                .returns(Types.TUPLE(Types.LONG, Types.LONG))
                .keyBy(bid -> bid.f0)
                .window(TumblingEventTimeWindows.of(TWO_SECONDS))
                .reduce((one, other) -> Tuple2.of(one.f0, one.f1 + other.f1))
                .keyBy(pane -> pane.f0)
                .window(SlidingEventTimeWindows.of(TEN_SECONDS, TWO_SECONDS))
                .reduce((one, other) -> Tuple2.of(one.f0, one.f1 + other.f1), new WindowOf())
                .keyBy(count -> count.f2)
                .window(TumblingEventTimeWindows.of(TWO_SECONDS))
                .aggregate(new Best<>(count -> count.f1), new BestCounts());
    }

    private static final class WindowOf extends ProcessWindowFunction<Tuple2<Long, Long>, Tuple3<Long, Long, Long>, Long, TimeWindow> {
        @Override
        public void process(Long auction, Context context, Iterable<Tuple2<Long, Long>> counts, Collector<Tuple3<Long, Long, Long>> out) {
            out.collect(Tuple3.of(auction, counts.iterator().next().f1, context.window().getStart()));
        }
    }

    interface Measure<T> extends java.io.Serializable {
        long of(T row);
    }

    /** The rows with the highest measure. */
    private static final class Best<T> implements AggregateFunction<T, List<T>, List<T>> {
        private final Measure<T> measure;

        Best(Measure<T> measure) {
            this.measure = measure;
        }

        @Override
        public List<T> createAccumulator() {
            return new ArrayList<>();
        }

        @Override
        public List<T> add(T row, List<T> best) {
            long most = best.isEmpty() ? Long.MIN_VALUE : measure.of(best.get(0));
            long here = measure.of(row);
            if (here > most) {
                best.clear();
            }
            if (here >= most) {
                best.add(row);
            }
            return best;
        }

        @Override
        public List<T> getResult(List<T> best) {
            return best;
        }

        @Override
        public List<T> merge(List<T> one, List<T> other) {
            other.forEach(row -> add(row, one));
            return one;
        }
    }

    private static final class BestCounts extends ProcessWindowFunction<List<Tuple3<Long, Long, Long>>, String, Long, TimeWindow> {
        @Override
        public void process(Long start, Context context, Iterable<List<Tuple3<Long, Long, Long>>> best, Collector<String> out) {
            for (Tuple3<Long, Long, Long> row : best.iterator().next()) {
                out.collect("{\"auction\":" + row.f0 + ",\"num\":" + row.f1 + ",\"window_start\":\"" + Instant.ofEpochMilli(start) + "\"}");
            }
        }
    }

    private DataStream<String> q7() {
        return bids("auction", "bidder", "price", "date_time", "extra")
                .map(bid -> Tuple5.of(bid.auction, bid.price, bid.bidder, bid.timeText, bid.extra))
                .returns(Types.TUPLE(Types.LONG, Types.LONG, Types.LONG, Types.STRING, Types.STRING))
                .windowAll(TumblingEventTimeWindows.of(TEN_SECONDS))
                .aggregate(new Best<>(bid -> bid.f1), new BestBids());
    }

    private static final class BestBids extends ProcessAllWindowFunction<List<Tuple5<Long, Long, Long, String, String>>, String, TimeWindow> {
        @Override
        public void process(Context context, Iterable<List<Tuple5<Long, Long, Long, String, String>>> best, Collector<String> out) {
            for (Tuple5<Long, Long, Long, String, String> bid : best.iterator().next()) {
                out.collect(bidText(bid.f0, "" + bid.f1, bid.f2, bid.f3, bid.f4));
            }
        }
    }

    private DataStream<String> q8() {
        DataStream<Tuple3<Long, String, Long>> persons =
                events("person", Duration.ZERO, "id", "name", "date_time")
                        .map(person -> Tuple3.of(person.id, person.name, person.time))
                        .returns(Types.TUPLE(Types.LONG, Types.STRING, Types.LONG));
        DataStream<Long> sellers = events("auction", Duration.ZERO, "seller", "date_time").map(auction -> auction.seller).returns(Types.LONG);
        return persons.coGroup(sellers).where(person -> person.f0).equalTo(seller -> seller).window(TumblingEventTimeWindows.of(TEN_SECONDS)).apply(new Newcomer());
    }

    private static final class Newcomer implements CoGroupFunction<Tuple3<Long, String, Long>, Long, String> {
        @Override
        public void coGroup(Iterable<Tuple3<Long, String, Long>> persons, Iterable<Long> sales, Collector<String> out) {
            if (sales.iterator().hasNext()) {
                for (Tuple3<Long, String, Long> person : persons) {
                    Instant start = Instant.ofEpochMilli(person.f2 - person.f2 % TEN_SECONDS.toMillis());
                    out.collect("{\"id\":" + person.f0 + ",\"name\":\"" + person.f1 + "\",\"window_start\":\"" + start + "\"}");
                }
            }
        }
    }
}
