import { setTimeout as wait } from "node:timers/promises";
import type { Session } from "./session.ts";

/**
 * Checks again and again, and tells of it when something is different. It looks instead of listening: an
 * unchanged look is cheap, and works on network drives and in containers, where no event arrives.
 */
export async function watch(
	session: Session,
	manifest: string,
	look: () => Promise<number> | number,
): Promise<number> {
	const { outside, streams } = session;
	const signal = outside.signal;
	let last: string | undefined;
	let code = 0;
	let text = "";
	const stage = {
		write(part: string) {
			text += part;
		},
	};
	const inner = { out: streams.out, error: streams.error };
	Object.assign(session, {
		streams: { out: stage, error: { ...stage, isTTY: false } },
	});
	try {
		while (!signal?.aborted) {
			text = "";
			const begun = performance.now();
			code = await look();
			const took = performance.now() - begun;
			if (text !== last) {
				inner.out.write(
					`${last === undefined ? `Watching ${manifest}\n` : ""}${new Date().toLocaleTimeString()}  ${text}`,
				);
				last = text;
			}
			// A tenth of one core at most, however many files there are.
			await wait(
				Math.max(500, took * 10),
				undefined,
				signal ? { signal } : {},
			).catch(() => {});
		}
	} finally {
		Object.assign(session, { streams: inner });
	}
	return code;
}
