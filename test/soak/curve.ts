/** What was seen of the server in one span of time. */
export interface Sample {
	/** Seconds since the load began, at the end of the span. */
	readonly second: number;
	readonly calls: number;
	/** Calls that ended otherwise than they should. */
	readonly wrong: number;
	/** Milliseconds, of calls that end normally. */
	readonly p50: number;
	readonly p99: number;
	/** The same median of calls straight to the vendor: what the machine itself took. */
	readonly control: number;
	/** Milliseconds of the server's CPU, of each call: what the machine does besides adds little to it. */
	readonly cpu: number;
	/** Megabytes. */
	readonly memory: number;
	/** Open files, sockets and the like. */
	readonly handles: number;
	/** Holds that are open, and how many of them are past their limit. */
	readonly holds: number;
	readonly overdue: number;
	/** Megabytes of the log and what lies beside it. */
	readonly disk: number;
	/** Calls that a vendor answered which goes away now and then, and another that has the same model. */
	readonly first: number;
	readonly other: number;
}

/**
 * What of a curve does not hold, each a sentence. The first fifth is warm-up. Of the rest the first third is
 * compared with the last, latency as a multiple of the control's, so that a machine that is busy with something else is
 * not the program's fault.
 */
export function findings(samples: readonly Sample[]): readonly string[] {
	const found: string[] = [];
	const steady = samples.slice(Math.floor(samples.length / 5));
	const third = Math.floor(steady.length / 3);
	if (third < 2)
		return ["There are too few samples to say anything: run it for longer."];
	const [first, last] = [steady.slice(0, third), steady.slice(-third)];
	const grows = (
		name: string,
		of: (part: readonly Sample[]) => number,
		times: number,
		plus: number,
	) => {
		const [before, after] = [of(first), of(last)];
		if (!(after <= before * times + plus))
			found.push(
				`${name} is not flat: ${before.toFixed(2)} at first, ${after.toFixed(2)} at last.`,
			);
	};
	const middle =
		(of: (sample: Sample) => number) => (part: readonly Sample[]) =>
			median(part.map(of));
	// More calls at once have more open, and other work of the machine slows every call: what leaks, and what becomes slow
	// by itself, does so at the quietest moment too.
	const least = (of: (sample: Sample) => number) => (part: readonly Sample[]) =>
		Math.min(...part.map(of));
	grows(
		"memory",
		middle(({ memory }) => memory),
		1.05,
		10,
	);
	grows(
		"handles",
		least(({ handles }) => handles),
		1,
		8,
	);
	grows(
		"holds",
		least(({ holds }) => holds),
		1,
		4,
	);
	grows(
		"CPU of a call",
		middle(({ cpu }) => cpu),
		1.25,
		0.05,
	);
	grows(
		"p50 over the control",
		least(({ p50, control }) => p50 / control),
		1.3,
		0.1,
	);
	grows(
		"p99 over the control",
		least(({ p99, control }) => p99 / control),
		2,
		0.5,
	);
	if (
		!samples.some(({ first }) => first > 0) ||
		!samples.some(({ other }) => other > 0)
	)
		found.push("One of two vendors of a model was never asked.");
	for (const { second, overdue, wrong } of samples) {
		if (overdue > 0)
			found.push(
				`${overdue} holds were older than their limit at ${second} s.`,
			);
		if (wrong > 0)
			found.push(`${wrong} calls ended as they should not by ${second} s.`);
	}
	return found;
}

export function csvOf(samples: readonly Sample[]): string {
	const names = Object.keys(samples[0] ?? {}) as (keyof Sample)[];
	return [names, ...samples.map((sample) => names.map((name) => sample[name]))]
		.map((cells) => `${cells.join(",")}\r\n`)
		.join("");
}

/** At most so many rows, the last one among them. */
export function tableOf(samples: readonly Sample[], most = 12): string {
	const every = Math.ceil(samples.length / most);
	const shown = samples.filter(
		(_, at) => (samples.length - 1 - at) % every === 0,
	);
	const row = (cells: readonly string[]) =>
		cells.map((cell) => cell.padStart(9)).join("");
	return [
		row([
			"second",
			"calls",
			"p50 ms",
			"p99 ms",
			"control",
			"CPU ms",
			"MB",
			"handles",
			"holds",
			"disk MB",
			"first",
			"other",
		]),
		...shown.map((sample) =>
			row([
				sample.second.toFixed(0),
				String(sample.calls),
				sample.p50.toFixed(2),
				sample.p99.toFixed(2),
				sample.control.toFixed(2),
				sample.cpu.toFixed(2),
				sample.memory.toFixed(0),
				String(sample.handles),
				String(sample.holds),
				sample.disk.toFixed(0),
				String(sample.first),
				String(sample.other),
			]),
		),
	].join("\n");
}

function median(numbers: readonly number[]): number {
	const sorted = numbers.toSorted((one, other) => one - other);
	return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN;
}
