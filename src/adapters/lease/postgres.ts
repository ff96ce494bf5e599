import type { Leases } from "../../ports/lease.ts";
import { nameOf, storedName } from "../postgres/arrays.ts";
import type { Answer, PostgresDatabase } from "../postgres/database.ts";
import { translate } from "../postgres/faults.ts";

/** Leases among replicas, by the clock of the database. Whoever opened the database closes it. */
export function postgresLeases(database: PostgresDatabase): Leases {
	const table = `${database.schema}.lease`;
	// Not the time at which a transaction began: one that waited for another must not look into the past.
	const now = "(extract(epoch from clock_timestamp()) * 1000)::bigint";
	const own = "lease.holder = excluded.holder";
	const take = {
		name: "lease_take",
		text: `insert into ${table} as lease (name, holder, expires, note) values ($1::text, $2::text, ${now} + $3::bigint, $4::text)
			on conflict (name) do update set holder = excluded.holder, expires = excluded.expires, note = excluded.note,
				token = case when ${own} then lease.token else excluded.token end
			where ${own} or lease.expires <= ${now} returning token`,
	};
	const release = {
		name: "lease_release",
		text: `delete from ${table} where name = $1::text and token = $2::bigint`,
	};
	const list = {
		name: "lease_list",
		text: `select name, holder, token, expires - ${now}, note from ${table} where starts_with(name, $1::text) order by name`,
	};
	const bury = {
		name: "lease_bury",
		text: `delete from ${table} where starts_with(name, $1::text) and expires <= ${now} - $2::bigint returning name`,
	};

	async function query(
		statement: { readonly name: string; readonly text: string },
		values: readonly unknown[],
	): Promise<Answer> {
		try {
			return await database.query(statement, values);
		} catch (error) {
			throw translate(error, "store", database.name);
		}
	}

	return {
		async take(name, holder, milliseconds, note = "") {
			const [row] = (
				await query(take, [
					storedName(name),
					storedName(holder),
					milliseconds,
					storedName(note),
				])
			).rows;
			return row && Number(row[0]);
		},
		async release(name, token) {
			await query(release, [storedName(name), token]);
		},
		async list(prefix) {
			const { rows } = await query(list, [storedName(prefix)]);
			return rows.map(([name, holder, token, left, note]) => ({
				name: nameOf(name as string),
				holder: nameOf(holder as string),
				token: Number(token),
				left: Number(left),
				note: nameOf(note as string),
			}));
		},
		async bury(prefix, grace) {
			const { rows } = await query(bury, [storedName(prefix), grace]);
			return rows.map(([name]) => nameOf(name as string)).sort();
		},
	};
}
