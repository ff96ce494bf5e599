import type { Query } from "pg";

/** A row as the server sent it: each column as text. */
export type Row = readonly (string | null)[];

export interface Answer {
	readonly rows: readonly Row[];
	/** What was done: `INSERT`, `COMMIT`, `ROLLBACK`. */
	readonly command: string;
	/** Rows it touched. */
	readonly count: number;
}

/** One statement. With a name the server parses it once for each connection. */
export interface Statement {
	readonly name?: string;
	readonly text: string;
}

/** A statement and what stands for its `$1`, `$2`, …: text, a whole number, binary, or null. */
export interface Step {
	readonly statement: Statement;
	readonly values?: readonly unknown[];
}

/** To be given to a client of the driver, once; answers to `callback`. */
export interface RoundTrip extends Query {
	callback?:
		| ((error: Error | null, answers?: readonly Answer[]) => void)
		| undefined;
}

/** Makes round trips; `named` false where a pooler may hand the next transaction to a server that never saw the name. */
type RoundTrips = (steps: readonly Step[], named: boolean) => RoundTrip;

/**
 * The driver's own way of sending ends each statement by itself, so that the server answers each with a packet
 * of its own. Here statements leave in one piece with one end: the server stops at the first that fails, and
 * all answers come together. What their columns are is not asked for: we know it.
 */
export function roundTripsOf(driver: {
	readonly Query: typeof Query;
}): RoundTrips {
	const preparedOn = new WeakMap<Wire, Set<string>>();

	class Batch extends driver.Query implements RoundTrip {
		declare callback?: RoundTrip["callback"];
		readonly #steps: readonly Step[];
		readonly #named: boolean;
		readonly #answers: Answer[] = [];
		/** Names that the server will know when all of this has gone well. */
		readonly #fresh = new Set<string>();
		#rows: Row[] = [];
		#failed = false;

		constructor(steps: readonly Step[], named: boolean) {
			super({ text: "" });
			this.#steps = steps;
			this.#named = named;
		}

		override readonly submit = (connection: unknown): null => {
			const wire = connection as Wire;
			const prepared = preparedOn.get(wire) ?? new Set();
			preparedOn.set(wire, prepared);
			wire.stream.cork();
			try {
				for (const { statement, values = [] } of this.#steps) {
					const name = (this.#named && statement.name) || "";
					if (name === "") wire.parse({ name, text: statement.text });
					else if (!prepared.has(name) && !this.#fresh.has(name)) {
						// One that failed half-way may have left it behind.
						wire.close({ type: "S", name });
						wire.parse({ name, text: statement.text });
						this.#fresh.add(name);
					}
					wire.bind({ statement: name, values, valueMapper: asSent });
					wire.execute();
				}
				wire.sync();
			} finally {
				wire.stream.uncork();
			}
			return null;
		};

		handleRowDescription(): void {}

		handleDataRow({ fields }: { fields: Row }): void {
			this.#rows.push(fields);
		}

		handleCommandComplete({ text }: { text: string }): void {
			const words = text.split(" ");
			this.#answers.push({
				rows: this.#rows,
				command: words[0] as string,
				count: words.length > 1 ? Number(words.at(-1)) : 0,
			});
			this.#rows = [];
		}

		handleEmptyQuery(): void {
			this.handleCommandComplete({ text: "" });
		}

		handleError(error: Error): void {
			if (this.#failed) return;
			this.#failed = true;
			this.callback?.(error);
		}

		handleReadyForQuery(connection: Wire): void {
			if (this.#failed) return;
			for (const name of this.#fresh) preparedOn.get(connection)?.add(name);
			this.callback?.(null, this.#answers);
		}
	}

	return (steps, named) => new Batch(steps, named);
}

/** The driver's own connection, which speaks the protocol. */
export interface Wire {
	readonly stream: {
		readonly localAddress?: string;
		cork(): void;
		uncork(): void;
		destroy(error: Error): void;
	};
	close(statement: { type: "S"; name: string }): void;
	parse(statement: { name: string; text: string }): void;
	bind(values: {
		statement: string;
		values: readonly unknown[];
		valueMapper(value: unknown): unknown;
	}): void;
	execute(): void;
	sync(): void;
}

function asSent(value: unknown): unknown {
	return typeof value === "number" ? String(value) : value;
}
