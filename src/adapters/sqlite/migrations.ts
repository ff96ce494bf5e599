/** One step of the schema. Never changed once shipped: a new wish is a new step. */
export interface Migration {
	/** 1 for the first, then without gaps. */
	readonly number: number;
	readonly name: string;
	readonly sql: string;
}

export const migrations: readonly Migration[] = [
	{
		number: 1,
		name: "event-log",
		// `previous` is not stored: it is the hash of the row before. `data` comes last, so that what
		// stands in front of it is read without following a long row over its pages.
		sql: `
			create table event (
				position integer primary key,
				time integer not null,
				stream text not null,
				version integer not null,
				type text not null,
				actor text not null,
				cause text,
				correlation text,
				key text,
				input text,
				hash text not null,
				data text not null
			) strict;
			create unique index event_stream on event (stream, version);
			create unique index event_key on event (key) where key is not null;
		`,
	},
	{
		number: 2,
		name: "derived-store",
		sql: `
			create table derived (
				name text primary key,
				format integer not null,
				position integer not null,
				hash text not null,
				body text not null
			) strict;
		`,
	},
	{
		number: 3,
		name: "answer-store",
		sql: `
			create table answer (
				call text primary key,
				expires integer not null,
				status integer not null,
				headers text not null,
				body blob not null
			) strict;
			create index answer_expires on answer (expires);
		`,
	},
	{
		number: 4,
		name: "lease",
		sql: `
			create table lease (
				token integer primary key autoincrement,
				name text not null unique,
				holder text not null,
				expires integer not null,
				note text not null
			) strict;
		`,
	},
];
