/** Counts what happens, for Prometheus (text exposition format 0.0.4). In memory: the log is the truth, this is the dial. */
export interface Metrics {
	count(name: string, labels: Labels, by?: number): void;
	/** Records a duration in milliseconds. */
	observe(name: string, labels: Labels, milliseconds: number): void;
	/** A value, or one for each of some labels, asked for at the moment of reading. */
	gauge(
		name: string,
		help: string,
		read: () => number | Iterable<readonly [Labels, number]>,
	): void;
	render(): string;
}

export type Labels = Readonly<Record<string, string>>;

const help: Readonly<Record<string, string>> = {
	dos_calls_total: "Calls by operation, vendor and ending.",
	dos_refusals_total: "Requests refused before they were forwarded, by code.",
	dos_micro_credits_total: "Micro-credits charged, by vendor.",
	dos_uncollected_micro_credits_total:
		"Micro-credits of cost that neither hold nor balance covered, by vendor.",
	dos_units_total: "Units of usage by vendor and class.",
	dos_continuations_total:
		"Streams that broke off and were gone on with, by the vendor that did.",
	dos_fallbacks_total:
		"Calls that went on to another substrate, by the vendor of that.",
	dos_hedges_total:
		"Calls that asked a second substrate while the first was late, by the vendor of that.",
	dos_shadow_total:
		"Calls chosen to be sent to another model as well, by what came of it.",
	dos_cache_total: "Looks into the cache, by what was found.",
	dos_answers_judged_total:
		"Answers held against the schema or the tools that their requests named.",
	dos_retries_total: "Requests sent to vendors once more.",
	dos_retries_refused_total:
		"Retries that were not made because their budget was used up.",
	dos_shed_calls_total:
		"Calls refused because there was no room for them, by reason: the queue was full or the wait over.",
	dos_breakers_opened_total:
		"Breakers that opened, by substrate and class of error.",
	dos_call_seconds: "Time from request to end of the answer, by operation.",
	dos_first_byte_seconds:
		"Time from request to the vendor's first byte, by operation.",
};

const bounds = [
	5, 10, 25, 50, 100, 250, 500, 1_000, 2_500, 5_000, 10_000, 30_000, 60_000,
	300_000,
];

/** Label values come from a closed set but for a few: beyond this many series a counter stops growing. */
const seriesPerName = 2_000;

interface Counter {
	readonly labels: string;
	value: number;
}

interface Histogram {
	readonly labels: string;
	readonly counts: number[];
	sum: number;
	count: number;
}

export function openMetrics(): Metrics {
	const counters = new Map<string, Map<string, Counter>>();
	const histograms = new Map<string, Map<string, Histogram>>();
	const gauges = new Map<
		string,
		{
			help: string;
			read: () => number | Iterable<readonly [Labels, number]>;
		}
	>();

	function series<T>(
		all: Map<string, Map<string, T>>,
		name: string,
		labels: Labels,
		make: (labels: string) => T,
	): T | undefined {
		let known = all.get(name);
		if (!known) {
			known = new Map();
			all.set(name, known);
		}
		let key = "";
		for (const label in labels) key += `${labels[label]}\n`;
		let one = known.get(key);
		if (one === undefined && known.size < seriesPerName) {
			one = make(labelText(labels));
			known.set(key, one);
		}
		return one;
	}

	return {
		count(name, labels, by = 1) {
			const counter = series(counters, name, labels, (text) => ({
				labels: text,
				value: 0,
			}));
			if (counter) counter.value += by;
		},
		observe(name, labels, milliseconds) {
			const histogram = series(histograms, name, labels, (text) => ({
				labels: text,
				counts: bounds.map(() => 0),
				sum: 0,
				count: 0,
			}));
			if (!histogram) return;
			histogram.sum += milliseconds;
			histogram.count++;
			let index = 0;
			while (index < bounds.length && milliseconds > (bounds[index] as number))
				index++;
			if (index < bounds.length) (histogram.counts[index] as number)++;
		},
		gauge(name, text, read) {
			gauges.set(name, { help: text, read });
		},
		render() {
			const lines: string[] = [];
			const begin = (name: string, type: string, text?: string): void => {
				lines.push(`# HELP ${name} ${text ?? help[name] ?? name}`);
				lines.push(`# TYPE ${name} ${type}`);
			};
			for (const [name, known] of counters) {
				begin(name, "counter");
				for (const { labels, value } of known.values())
					lines.push(`${name}${braced(labels)} ${value}`);
			}
			for (const [name, known] of histograms) {
				begin(name, "histogram");
				for (const { labels, counts, sum, count } of known.values()) {
					const front = labels && `${labels},`;
					let below = 0;
					bounds.forEach((bound, index) => {
						below += counts[index] as number;
						lines.push(`${name}_bucket{${front}le="${bound / 1000}"} ${below}`);
					});
					lines.push(`${name}_bucket{${front}le="+Inf"} ${count}`);
					lines.push(`${name}_sum${braced(labels)} ${sum / 1000}`);
					lines.push(`${name}_count${braced(labels)} ${count}`);
				}
			}
			for (const [name, gauge] of gauges) {
				begin(name, "gauge", gauge.help);
				const read = gauge.read();
				if (typeof read === "number") lines.push(`${name} ${read}`);
				else
					for (const [labels, value] of read)
						lines.push(`${name}{${labelText(labels)}} ${value}`);
			}
			return `${lines.join("\n")}\n`;
		},
	};
}

function braced(labels: string): string {
	return labels && `{${labels}}`;
}

function labelText(labels: Labels): string {
	return Object.entries(labels)
		.map(([name, value]) => `${name}="${escapeLabel(value)}"`)
		.join(",");
}

function escapeLabel(value: string): string {
	return value.replace(/[\\"\n]/g, (character) =>
		character === "\n" ? "\\n" : `\\${character}`,
	);
}
