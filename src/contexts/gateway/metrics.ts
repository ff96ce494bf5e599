/** Counts what happens, for Prometheus (text exposition format 0.0.4). In memory: the log is the truth, this is the dial. */
export interface Metrics {
	count(name: string, labels: Labels, by?: number): void;
	/** Records a duration in milliseconds. */
	observe(name: string, labels: Labels, milliseconds: number): void;
	/** A value asked for at the moment of reading. */
	gauge(name: string, help: string, read: () => number): void;
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

export function openMetrics(): Metrics {
	const counters = new Map<string, Map<string, number>>();
	const histograms = new Map<
		string,
		Map<string, { counts: number[]; sum: number; count: number }>
	>();
	const gauges = new Map<string, { help: string; read: () => number }>();

	function series<T>(
		all: Map<string, Map<string, T>>,
		name: string,
		labels: Labels,
		make: () => T,
	): [Map<string, T>, string, T | undefined] {
		let byLabels = all.get(name);
		if (!byLabels) {
			byLabels = new Map();
			all.set(name, byLabels);
		}
		const key = labelText(labels);
		let value = byLabels.get(key);
		if (value === undefined && byLabels.size < seriesPerName) {
			value = make();
			byLabels.set(key, value);
		}
		return [byLabels, key, value];
	}

	return {
		count(name, labels, by = 1) {
			const [byLabels, key, value] = series(counters, name, labels, () => 0);
			if (value !== undefined) byLabels.set(key, value + by);
		},
		observe(name, labels, milliseconds) {
			const [, , histogram] = series(histograms, name, labels, () => ({
				counts: bounds.map(() => 0),
				sum: 0,
				count: 0,
			}));
			if (!histogram) return;
			histogram.sum += milliseconds;
			histogram.count++;
			const index = bounds.findIndex((bound) => milliseconds <= bound);
			if (index >= 0) (histogram.counts[index] as number)++;
		},
		gauge(name, text, read) {
			gauges.set(name, { help: text, read });
		},
		render() {
			const lines: string[] = [];
			for (const [name, byLabels] of counters) {
				lines.push(
					`# HELP ${name} ${help[name] ?? name}`,
					`# TYPE ${name} counter`,
				);
				for (const [labels, value] of byLabels)
					lines.push(`${name}${labels && `{${labels}}`} ${value}`);
			}
			for (const [name, byLabels] of histograms) {
				lines.push(
					`# HELP ${name} ${help[name] ?? name}`,
					`# TYPE ${name} histogram`,
				);
				for (const [labels, { counts, sum, count }] of byLabels) {
					const front = labels && `${labels},`;
					let below = 0;
					bounds.forEach((bound, index) => {
						below += counts[index] as number;
						lines.push(`${name}_bucket{${front}le="${bound / 1000}"} ${below}`);
					});
					lines.push(`${name}_bucket{${front}le="+Inf"} ${count}`);
					lines.push(
						`${name}_sum${labels && `{${labels}}`} ${sum / 1000}`,
						`${name}_count${labels && `{${labels}}`} ${count}`,
					);
				}
			}
			for (const [name, { help: text, read }] of gauges)
				lines.push(
					`# HELP ${name} ${text}`,
					`# TYPE ${name} gauge`,
					`${name} ${read()}`,
				);
			return `${lines.join("\n")}\n`;
		},
	};
}

const rendered = new WeakMap<Labels, string>();

function labelText(labels: Labels): string {
	let text = rendered.get(labels);
	if (text === undefined) {
		text = Object.entries(labels)
			.map(
				([name, value]) =>
					`${name}="${value.replace(/[\\"\n]/g, (character) => (character === "\n" ? "\\n" : `\\${character}`))}"`,
			)
			.join(",");
		rendered.set(labels, text);
	}
	return text;
}
