import type { Clock } from "../../ports/clock.ts";
import type { Metrics } from "./metrics.ts";

/**
 * How many more requests than calls there may be: a vendor in trouble is not met with several times the load.
 * Over any ten whole seconds, retries are at most a share of the calls, or a few a second where calls are few.
 */
export interface Retries {
	/** Each call pays in a little. */
	began(): void;
	/** Takes one retry out of the budget, or refuses. */
	allowed(): boolean;
}

/** Seconds that a budget looks back over. */
const seconds = 10;

export function openRetries(options: {
	readonly clock: Pick<Clock, "now">;
	/** Retries for each call. */
	readonly share?: number;
	/** Retries a second where calls are few. */
	readonly least?: number;
	readonly metrics?: Pick<Metrics, "count">;
}): Retries {
	const { clock, share = 0.2, least = 5, metrics } = options;
	const calls = new Float64Array(seconds);
	const retries = new Float64Array(seconds);
	/** The newest second that was seen: the wall clock may be set back, the budget goes on. */
	let newest = Math.floor(clock.now() / 1000);

	/** The place of this second, and those that came to lie too far back are empty again. */
	function place(): number {
		const second = Math.floor(clock.now() / 1000);
		if (second - newest >= seconds || newest - second >= seconds) {
			calls.fill(0);
			retries.fill(0);
			newest = second;
		}
		while (newest < second) {
			newest++;
			calls[newest % seconds] = 0;
			retries[newest % seconds] = 0;
		}
		return newest % seconds;
	}

	return {
		began() {
			(calls[place()] as number)++;
		},
		allowed() {
			const at = place();
			const allowed =
				sum(retries) < Math.max(share * sum(calls), least * seconds);
			if (allowed) (retries[at] as number)++;
			metrics?.count(
				allowed ? "dos_retries_total" : "dos_retries_refused_total",
				{},
			);
			return allowed;
		},
	};
}

function sum(numbers: Float64Array): number {
	let total = 0;
	for (const number of numbers) total += number;
	return total;
}

/** Milliseconds that are waited at most because a vendor asks for it. */
const longestAsked = 10_000;
/** Milliseconds of the first step, and of the longest, when it does not ask. */
const firstStep = 200;
const longestStep = 5_000;

/**
 * Milliseconds to wait before attempt n (from 1), with full jitter; undefined when Retry-After (in milliseconds) is
 * longer than is worth waiting.
 */
export function retryDelay(
	attempt: number,
	retryAfter: number | undefined,
	random: () => number,
): number | undefined {
	const step = Math.min(longestStep, firstStep * 2 ** (attempt - 1));
	if (retryAfter === undefined) return Math.round(random() * step);
	// All that were told the same moment do not come back at the same moment.
	return retryAfter > longestAsked
		? undefined
		: Math.round(retryAfter + random() * step);
}

/** Milliseconds from `now` that a `Retry-After` asks for: seconds or any form of an HTTP date; undefined where it is neither. */
export function readRetryAfter(
	header: string | undefined,
	now: number,
): number | undefined {
	const text = header?.trim() ?? "";
	if (/^\d{1,9}(\.\d{1,9})?$/.test(text)) return Math.ceil(Number(text) * 1000);
	const at = readDate(text, now);
	return at === undefined ? undefined : Math.max(0, at - now);
}

/** `Sun, 06 Nov 1994 08:49:37 GMT`, `Sunday, 06-Nov-94 08:49:37 GMT` */
const withZone =
	/^[A-Z][a-z]{2,8}, (?<day>\d{2})[ -](?<month>[A-Z][a-z]{2})[ -](?<year>\d{4}|\d{2}) (?<hour>\d{2}):(?<minute>\d{2}):(?<second>\d{2}) GMT$/;
/** `Sun Nov  6 08:49:37 1994` */
const withoutZone =
	/^[A-Z][a-z]{2} (?<month>[A-Z][a-z]{2}) (?<day>[ \d]\d) (?<hour>\d{2}):(?<minute>\d{2}):(?<second>\d{2}) (?<year>\d{4})$/;

const months = "JanFebMarAprMayJunJulAugSepOctNovDec";

function readDate(text: string, now: number): number | undefined {
	const parts = (withZone.exec(text) ?? withoutZone.exec(text))?.groups;
	if (!parts) return undefined;
	const month = months.indexOf(parts.month as string) / 3;
	if (!Number.isInteger(month)) return undefined;
	let year = Number(parts.year);
	if (year < 100) {
		year += 100 * Math.floor(new Date(now).getUTCFullYear() / 100);
		// Two digits are of the century that keeps them within fifty years (RFC 9110, section 5.6.7).
		if (year > new Date(now).getUTCFullYear() + 50) year -= 100;
	}
	return Date.UTC(
		year,
		month,
		Number(parts.day),
		Number(parts.hour),
		Number(parts.minute),
		Number(parts.second),
	);
}
