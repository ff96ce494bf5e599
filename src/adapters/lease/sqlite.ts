import type { Clock } from "../../ports/clock.ts";
import type { Leases } from "../../ports/lease.ts";
import type { Database } from "../sqlite/database.ts";
import { translate } from "../sqlite/faults.ts";

/** Leases among the processes on one file, by this machine's clock. Whoever opened the database closes it. */
export function sqliteLeases(
	database: Database,
	clock: Pick<Clock, "now">,
): Leases {
	const { path, reader, relaxed } = database;
	const find = relaxed.prepare(
		"select token, holder, expires from lease where name = ?",
	);
	const extend = relaxed.prepare(
		"update lease set expires = ?, note = ? where token = ?",
	);
	// A new row has a new token: the table never gives a number twice.
	const begin = relaxed.prepare(
		"insert or replace into lease (name, holder, expires, note) values (?, ?, ?, ?) returning token",
	);
	const remove = relaxed.prepare(
		"delete from lease where name = ? and token = ?",
	);
	const under = reader.prepare(
		"select name, holder, token, expires, note from lease where substr(name, 1, length(?1)) = ?1 order by name",
	);
	const removeOver = relaxed.prepare(
		"delete from lease where substr(name, 1, length(?1)) = ?1 and expires <= ?2 returning name",
	);

	async function attempt<T>(work: () => T | Promise<T>): Promise<T> {
		try {
			return await work();
		} catch (error) {
			throw translate(error, "store", path);
		}
	}
	const write = <T>(work: () => T): Promise<T> =>
		attempt(() => database.write(relaxed, work));

	return {
		take: (name, holder, milliseconds, note = "") =>
			write(() => {
				const now = clock.now();
				const one = find.get(name);
				if (one && one.holder !== holder && (one.expires as number) > now)
					return undefined;
				if (one?.holder !== holder)
					return begin.get(name, holder, now + milliseconds, note)
						?.token as number;
				extend.run(now + milliseconds, note, one.token as number);
				return one.token as number;
			}),
		release: (name, token) => write(() => void remove.run(name, token)),
		list: (prefix) =>
			attempt(() => {
				const now = clock.now();
				return under.all(prefix).map((row) => ({
					name: row.name as string,
					holder: row.holder as string,
					token: row.token as number,
					left: (row.expires as number) - now,
					note: row.note as string,
				}));
			}),
		bury: (prefix, grace) =>
			write(() =>
				removeOver
					.all(prefix, clock.now() - grace)
					.map(({ name }) => name as string)
					.sort(),
			),
	};
}
