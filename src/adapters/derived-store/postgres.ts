import type { DerivedStore } from "../../ports/derived-store.ts";
import { nameOf, storedName } from "../postgres/arrays.ts";
import type {
	Answer,
	PostgresDatabase,
	Statement,
} from "../postgres/database.ts";
import { translate } from "../postgres/faults.ts";
import { takeTurns } from "../turns.ts";

/** Derived state beside the log, shared by all replicas; whoever opened the database closes it. */
export function postgresDerivedStore(database: PostgresDatabase): DerivedStore {
	const table = `${database.schema}.derived`;
	const find = {
		name: "derived_find",
		text: `select format, position, hash, body from ${table} where name = $1::text`,
	};
	const list = { name: "derived_list", text: `select name from ${table}` };
	const replace = {
		name: "derived_replace",
		text: `insert into ${table} (name, format, position, hash, body) values ($1::text, $2::bigint, $3::bigint, $4::text, $5::text)
			on conflict (name) do update set format = excluded.format, position = excluded.position, hash = excluded.hash, body = excluded.body`,
	};
	const forget = {
		name: "derived_forget",
		text: `delete from ${table} where name = $1::text`,
	};
	const forgetAll = {
		name: "derived_forget_all",
		text: `delete from ${table}`,
	};
	// Saves keep their order, although each could have a connection of its own.
	const turn = takeTurns();

	async function query(
		statement: Statement,
		values: readonly unknown[] = [],
	): Promise<Answer> {
		try {
			return await database.query(statement, values);
		} catch (error) {
			throw translate(error, "store", database.name);
		}
	}

	return {
		async load(name) {
			const [row] = (await query(find, [storedName(name)])).rows;
			if (!row) return undefined;
			const [format, position, hash, body] = row;
			return {
				format: Number(format),
				position: Number(position),
				hash: hash as string,
				body: body as string,
			};
		},
		save: (name, { format, position, hash, body }) =>
			turn(async () => {
				await query(replace, [storedName(name), format, position, hash, body]);
			}),
		async names() {
			const { rows } = await query(list);
			return rows.map(([name]) => nameOf(name as string)).sort();
		},
		clear: (name) =>
			turn(async () => {
				await (name === undefined
					? query(forgetAll)
					: query(forget, [storedName(name)]));
			}),
	};
}
