import { setTimeout as wait } from "node:timers/promises";
import { openComplain, type Session } from "./session.ts";

/**
 * Checks again and again, and tells of it when something is different. It looks instead of listening: an
 * unchanged look is cheap, and works on network drives and in containers, where no event arrives.
 */
export async function watch(
	session: Session,
	manifest: string,
	look: (inner: Session) => Promise<number> | number,
): Promise<number> {
	const { outside, streams, read } = session;
	const { signal } = outside;
	const isForReading = read.format === "text" || read.format === "table";
	let text = "";
	const stage = {
		write(part: string) {
			text += part;
		},
	};
	const staged = { out: stage, error: stage };
	const inner: Session = {
		...session,
		streams: staged,
		complain: openComplain(staged, read.format === "json"),
	};
	if (isForReading && !read.quiet)
		streams.out.write(`Watching ${manifest}; Ctrl-C ends it.\n`);
	let last = "";
	let code = 0;
	while (!signal?.aborted) {
		text = "";
		const begun = performance.now();
		code = await look(inner);
		const took = performance.now() - begun;
		if (text !== last)
			streams.out.write(
				isForReading
					? `${new Date().toTimeString().slice(0, 8)}  ${text}`
					: text,
			);
		last = text;
		// A tenth of one core at most, however many files there are.
		await wait(
			Math.max(500, took * 10),
			undefined,
			signal ? { signal } : {},
		).catch(() => {});
	}
	return code;
}
