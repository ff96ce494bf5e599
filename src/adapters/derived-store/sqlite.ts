import type { DerivedStore } from "../../ports/derived-store.ts";
import type { Database } from "../sqlite/database.ts";
import { isDamage, translate } from "../sqlite/faults.ts";

/** Derived state beside the log, in tables of its own. A save waits for no disk; whoever opened the database closes it. */
export function sqliteDerivedStore(database: Database): DerivedStore {
	const { path, reader, relaxed } = database;
	const find = reader.prepare(
		"select format, position, hash, body from derived where name = ?",
	);
	const list = reader.prepare("select name from derived");
	const replace = relaxed.prepare(
		"insert or replace into derived (name, format, position, hash, body) values (?, ?, ?, ?, ?)",
	);
	const forget = relaxed.prepare("delete from derived where name = ?");
	const forgetAll = relaxed.prepare("delete from derived");

	async function write(work: () => void): Promise<void> {
		try {
			await database.write(relaxed, work);
		} catch (error) {
			throw translate(error, "store", path);
		}
	}

	return {
		async load(name) {
			try {
				const row = find.get(name);
				if (!row) return undefined;
				return {
					format: row.format as number,
					position: row.position as number,
					hash: row.hash as string,
					body: row.body as string,
				};
			} catch (error) {
				if (isDamage(error)) return undefined;
				throw translate(error, "store", path);
			}
		},
		save: (name, { format, position, hash, body }) =>
			write(() => void replace.run(name, format, position, hash, body)),
		async names() {
			try {
				return list
					.all()
					.map(({ name }) => name as string)
					.sort();
			} catch (error) {
				throw translate(error, "store", path);
			}
		},
		clear: (name) =>
			write(
				() => void (name === undefined ? forgetAll.run() : forget.run(name)),
			),
	};
}
