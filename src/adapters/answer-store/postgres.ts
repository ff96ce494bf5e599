import type { AnswerStore } from "../../ports/answer-store.ts";
import { storedName } from "../postgres/arrays.ts";
import type {
	Answer,
	PostgresDatabase,
	Statement,
} from "../postgres/database.ts";
import { translate } from "../postgres/faults.ts";

/** Expired answers forgotten at once. */
const sweepSize = 1_000;

/** Answers beside the log, found by whichever replica is asked again; whoever opened the database closes it. */
export function postgresAnswerStore(database: PostgresDatabase): AnswerStore {
	const table = `${database.schema}.answer`;
	const select = {
		name: "answer_find",
		text: `select status, headers, body from ${table} where call = $1::text and expires > $2::bigint`,
	};
	const replace = {
		name: "answer_keep",
		text: `insert into ${table} (call, expires, status, headers, body) values ($1::text, $2::bigint, $3::integer, $4::text, $5::bytea)
			on conflict (call) do update set expires = excluded.expires, status = excluded.status, headers = excluded.headers, body = excluded.body`,
	};
	const forget = {
		name: "answer_forget",
		text: `delete from ${table} where call in (select call from ${table} where expires <= $1::bigint limit ${sweepSize} for update skip locked)`,
	};

	async function query(
		statement: Statement,
		values: readonly unknown[],
	): Promise<Answer> {
		try {
			return await database.query(statement, values);
		} catch (error) {
			throw translate(error, "store", database.name);
		}
	}

	return {
		async keep(call, { status, headers, body }, expires) {
			await query(replace, [
				storedName(call),
				expires,
				status,
				JSON.stringify(headers),
				// A copy: it is sent later, and the bytes may have changed by then.
				Buffer.from(body),
			]);
		},
		async find(call, now) {
			const [row] = (await query(select, [storedName(call), now])).rows;
			if (!row) return undefined;
			const [status, headers, body] = row;
			return {
				status: Number(status),
				headers: JSON.parse(headers as string) as Record<string, string>,
				// Behind the "\x" in front.
				body: new Uint8Array(Buffer.from((body as string).slice(2), "hex")),
			};
		},
		async sweep(now) {
			let swept = 0;
			for (;;) {
				const { count } = await query(forget, [now]);
				swept += count;
				if (count < sweepSize) return swept;
			}
		},
	};
}
