/** Tells a person at a terminal how far something has come, on one line that is gone when it is done. */
export interface Progress {
	/** `total` 0 or unknown: only the count is shown. */
	at(done: number, total?: number): void;
	/** Takes the line away. */
	end(): void;
}

export interface ProgressOptions {
	readonly label: string;
	readonly write: (text: string) => void;
	/** False where no person watches: then nothing is written. */
	readonly shown: boolean;
	/** Milliseconds since 1970. */
	readonly now: () => number;
}

/** Quiet for the first second: what is over by then needs no progress. */
export function openProgress({
	label,
	write,
	shown,
	now,
}: ProgressOptions): Progress {
	const begun = now();
	let next = begun + 1_000;
	let visible = false;
	return {
		at(done, total = 0) {
			if (!shown || now() < next) return;
			next = now() + 100;
			visible = true;
			const share =
				total > 0
					? ` (${Math.min(100, Math.floor((100 * done) / total))} %)`
					: "";
			write(`\r\u001b[K${label} ${done.toLocaleString("en")}${share}`);
		},
		end() {
			if (visible) write("\r\u001b[K");
			visible = false;
		},
	};
}
