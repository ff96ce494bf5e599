import type { Clock } from "../../ports/clock.ts";
import type { Leases } from "../../ports/lease.ts";

/** Leases among the parts of one process, or of a simulation. */
export function memoryLeases(clock: Pick<Clock, "now">): Leases {
	const held = new Map<
		string,
		{ holder: string; token: number; expires: number; note: string }
	>();
	let newest = 0;
	return {
		async take(name, holder, milliseconds, note = "") {
			const now = clock.now();
			const one = held.get(name);
			if (one && one.holder !== holder && one.expires > now) return undefined;
			const token = one?.holder === holder ? one.token : ++newest;
			held.set(name, { holder, token, expires: now + milliseconds, note });
			return token;
		},
		async release(name, token) {
			if (held.get(name)?.token === token) held.delete(name);
		},
		async list(prefix) {
			const now = clock.now();
			return [...held]
				.filter(([name]) => name.startsWith(prefix))
				.sort(([a], [b]) => (a < b ? -1 : 1))
				.map(([name, { holder, token, expires, note }]) => ({
					name,
					holder,
					token,
					left: expires - now,
					note,
				}));
		},
		async bury(prefix, grace) {
			const now = clock.now();
			const over = [...held]
				.filter(
					([name, { expires }]) =>
						name.startsWith(prefix) && expires <= now - grace,
				)
				.map(([name]) => name)
				.sort();
			for (const name of over) held.delete(name);
			return over;
		},
	};
}
