import type { AnswerStore } from "../../ports/answer-store.ts";
import type { Database } from "../sqlite/database.ts";
import { translate } from "../sqlite/faults.ts";

/** Expired answers forgotten under one write lock, so that the log is soon let in between. */
const sweepSize = 200;

/** Answers beside the log, in a table of their own. Keeping one waits for no disk; whoever opened the database closes it. */
export function sqliteAnswerStore(database: Database): AnswerStore {
	const { path, reader, relaxed } = database;
	const select = reader.prepare(
		"select status, headers, body from answer where call = ? and expires > ?",
	);
	const replace = relaxed.prepare(
		"insert or replace into answer (call, expires, status, headers, body) values (?, ?, ?, ?, ?)",
	);
	const forget = relaxed.prepare(
		"delete from answer where call in (select call from answer where expires <= ? limit ?)",
	);

	async function write<T>(work: () => T): Promise<T> {
		try {
			return await database.write(relaxed, work);
		} catch (error) {
			throw translate(error, "store", path);
		}
	}

	return {
		keep: (call, { status, headers, body }, expires) =>
			write(
				() =>
					void replace.run(
						call,
						expires,
						status,
						JSON.stringify(headers),
						body,
					),
			),
		async find(call, now) {
			try {
				const row = select.get(call, now);
				if (!row) return undefined;
				return {
					status: row.status as number,
					headers: JSON.parse(row.headers as string) as Record<string, string>,
					body: row.body as Uint8Array,
				};
			} catch (error) {
				throw translate(error, "store", path);
			}
		},
		async sweep(now) {
			let swept = 0;
			for (;;) {
				const changes = Number(
					await write(() => forget.run(now, sweepSize).changes),
				);
				swept += changes;
				if (changes < sweepSize) return swept;
			}
		},
	};
}
