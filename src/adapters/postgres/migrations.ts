/** One step of the schema. Never changed once shipped: a new wish is a new step. */
export interface Migration {
	/** 1 for the first, then without gaps. */
	readonly number: number;
	readonly name: string;
	/**
	 * The oldest step that a program must know to work beside this one: its own number when older programs
	 * would do harm, 0 when every one may go on. Replicas of two versions run side by side during an upgrade.
	 */
	readonly needs: number;
	/** Within our schema, which is in front of the search path while this runs. */
	readonly sql: string;
}

export const migrations: readonly Migration[] = [
	{
		number: 1,
		name: "event-log",
		needs: 1,
		// Names compare by their bytes, as a locale's order changes with its library. `previous` is not stored:
		// it is the hash of the row before. `head` holds one row and nothing in it: locking it is taking the
		// head, and as it never changes, no old versions of it pile up behind a long-running backup.
		sql: `
			create table event (
				position bigint primary key,
				time bigint not null,
				stream text collate "C" not null,
				version bigint not null,
				type text collate "C" not null,
				actor text collate "C" not null,
				cause text collate "C",
				correlation text collate "C",
				key text collate "C",
				input text collate "C",
				hash text collate "C" not null,
				data text collate "C" not null
			);
			create unique index event_stream on event (stream, version);
			create unique index event_key on event (key) where key is not null;
			create table head (one boolean primary key default true check (one));
			insert into head default values;
		`,
	},
	{
		number: 2,
		name: "derived-store",
		needs: 2,
		sql: `
			create table derived (
				name text collate "C" primary key,
				format bigint not null,
				position bigint not null,
				hash text not null,
				body text not null
			);
		`,
	},
	{
		number: 3,
		name: "answer-store",
		needs: 3,
		sql: `
			create table answer (
				call text collate "C" primary key,
				expires bigint not null,
				status integer not null,
				headers text not null,
				body bytea not null
			);
			create index answer_expires on answer (expires);
		`,
	},
];
