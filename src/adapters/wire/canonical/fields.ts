import { accept, type Outcome, type Refusal } from "../../../kernel/outcome.ts";
import type { Warn } from "../../../ports/translator.ts";

/**
 * A JSON object of a client's request, read by name. A member that is left out or null is
 * undefined; one of the wrong type is refused with `request/invalid`, naming it by its whole path.
 * Readers throw their refusal, `outcomeOf` catches it: so a translator reads like a list of what
 * it takes. `done` warns of every member that nobody asked for.
 */
export class Fields {
	readonly record: Readonly<Record<string, unknown>>;
	/** Where the object stands, with a dot at its end; empty for the body itself. */
	readonly path: string;
	readonly warn: Warn;
	readonly #taken: string[] = [];

	constructor(
		record: Readonly<Record<string, unknown>>,
		path: string,
		warn: Warn,
	) {
		this.record = record;
		this.path = path;
		this.warn = warn;
	}

	/** The value, whatever it is: the reader judges it. */
	value(name: string): unknown {
		const value = Object.hasOwn(this.record, name)
			? this.record[name]
			: undefined;
		if (value === undefined) return undefined;
		this.#taken.push(name);
		return value ?? undefined;
	}

	text(name: string): string | undefined {
		const value = this.value(name);
		if (value === undefined || typeof value === "string") return value;
		return this.refuse(name, "must be a string");
	}

	number(
		name: string,
		least: number = -Number.MAX_VALUE,
		most: number = Number.MAX_VALUE,
	): number | undefined {
		const value = this.value(name);
		if (value === undefined) return undefined;
		if (typeof value === "number" && value >= least && value <= most)
			return value;
		return this.refuse(name, `must be a number${bounds(least, most)}`);
	}

	whole(
		name: string,
		least: number = Number.MIN_SAFE_INTEGER,
		most: number = Number.MAX_SAFE_INTEGER,
	): number | undefined {
		const value = this.value(name);
		if (value === undefined) return undefined;
		if (Number.isSafeInteger(value)) {
			const whole = value as number;
			if (whole >= least && whole <= most) return whole;
		}
		return this.refuse(name, `must be a whole number${bounds(least, most)}`);
	}

	flag(name: string): boolean | undefined {
		const value = this.value(name);
		if (value === undefined || typeof value === "boolean") return value;
		return this.refuse(name, "must be true or false");
	}

	oneOf<const T extends string>(
		name: string,
		values: readonly T[],
	): T | undefined {
		const value = this.value(name);
		if (value === undefined) return undefined;
		const found = values.find((each) => each === value);
		return (
			found ??
			this.refuse(
				name,
				`must be one of ${values.map((each) => `"${each}"`).join(", ")}`,
			)
		);
	}

	/** An object whose members are read on. */
	fields(name: string): Fields | undefined {
		const record = this.json(name);
		return record && new Fields(record, `${this.path}${name}.`, this.warn);
	}

	/** An object that is taken whole. */
	json(name: string): Readonly<Record<string, unknown>> | undefined {
		const value = this.value(name);
		if (value === undefined || isRecord(value)) return value;
		return this.refuse(name, "must be an object");
	}

	list(name: string): readonly unknown[] | undefined {
		const value = this.value(name);
		if (value === undefined || Array.isArray(value)) return value;
		return this.refuse(name, "must be an array");
	}

	/** A list of objects whose members are read on. */
	each(name: string): readonly Fields[] | undefined {
		return this.list(name)?.map((value, index) =>
			isRecord(value)
				? new Fields(value, `${this.path}${name}.${index}.`, this.warn)
				: this.refuse(`${name}.${index}`, "must be an object"),
		);
	}

	texts(name: string): readonly string[] | undefined {
		return this.list(name)?.map((value, index) =>
			typeof value === "string"
				? value
				: this.refuse(`${name}.${index}`, "must be a string"),
		);
	}

	/** An object of strings. */
	dictionary(name: string): Readonly<Record<string, string>> | undefined {
		const record = this.json(name);
		for (const key in record) {
			if (typeof record[key] !== "string")
				this.refuse(`${name}.${key}`, "must be a string");
		}
		return record as Readonly<Record<string, string>> | undefined;
	}

	/** What a reader gave for `name`, which must be there. */
	need<T>(name: string, value: T | undefined): T {
		return value === undefined ? this.refuse(name, "is required") : value;
	}

	/** Takes a member that is known and has no meaning beyond its protocol: warned of when it is there. */
	drop(name: string, message: string): void {
		if (this.value(name) !== undefined)
			this.warn({ kind: "dropped", field: this.path + name, message });
	}

	/** Takes members that change nothing in what is asked: no warning. */
	pass(...names: readonly string[]): void {
		this.#taken.push(...names);
	}

	/** Warns of the members that nobody took. */
	done(): void {
		for (const name in this.record) {
			if (
				this.#taken.includes(name) ||
				this.record[name] === undefined ||
				this.record[name] === null
			)
				continue;
			this.warn({
				kind: "dropped",
				field: `${this.path}${name.slice(0, 64)}`,
				message:
					"Not a member that is known here: it was not passed on to a vendor of another protocol.",
			});
		}
	}

	refuse(name: string, problem: string): never {
		return refuseField(this.path + name, problem);
	}

	unsupported(name: string, problem: string): never {
		return unsupported(this.path + name, problem);
	}
}

/** Refuses as no request of the protocol. `problem` goes on from the field's name: "must be a string". */
export function refuseField(path: string, problem: string): never {
	const field = shortField(path);
	throw new Refused({
		code: "request/invalid",
		message: `"${field}" ${problem}.`,
		details: { field },
	});
}

/** Refuses what cannot be expressed on the other side. `problem` goes on from the field's name: "asks for …". */
export function unsupported(path: string, problem: string): never {
	const field = shortField(path);
	throw new Refused({
		code: "translate/unsupported",
		message: `"${field}" ${problem}.`,
		details: { field },
	});
}

/** A name of the client's in it may be as long as a body. */
function shortField(path: string): string {
	return path.length > 200 ? `${path.slice(0, 200)}…` : path;
}

/** A vendor's answer that is none. */
export function unreadable(problem: string): never {
	throw new Refused({
		code: "vendor/garbled",
		message: `The vendor's answer ${problem}.`,
	});
}

/** Runs a reader or writer; what it refused is the outcome. */
export function outcomeOf<T>(run: () => T): Outcome<T> {
	try {
		return accept(run());
	} catch (error) {
		if (error instanceof Refused) return { ok: false, error: error.refusal };
		throw error;
	}
}

/** The body of a client's request, that its wire protocol has found to be JSON. */
export function bodyFields(body: Uint8Array, warn: Warn): Fields {
	let value: unknown;
	try {
		value = JSON.parse(decoder.decode(body));
	} catch {
		value = undefined;
	}
	return isRecord(value)
		? new Fields(value, "", warn)
		: refuseField("body", "must be a JSON object");
}

/**
 * A field of the canonical request (`messages.2.parts.0`, `topK`) in a client's words, as far as
 * `words` has them for its first name or its first names: `{ topK: "top_k", "output.schema": "…" }`.
 */
export function inWords(
	words: Readonly<Record<string, string>>,
	field: string,
): string {
	// A field may hold names of the client's, with any number of dots: no word has more names than this.
	const names = field.split(".", 4);
	for (let count = names.length; count > 0; count--) {
		const head = names.slice(0, count).join(".");
		if (Object.hasOwn(words, head))
			return words[head] + field.slice(head.length);
	}
	return field;
}

/** Leaves out the members that are undefined. */
export function present<T extends object>(
	members: T,
): { [K in keyof T]: Exclude<T[K], undefined> } {
	const result: Record<string, unknown> = {};
	for (const name in members) {
		if (members[name] !== undefined) result[name] = members[name];
	}
	return result as { [K in keyof T]: Exclude<T[K], undefined> };
}

export function isRecord(
	value: unknown,
): value is Readonly<Record<string, unknown>> {
	return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** Tolerant readers, for vendors' answers: what is of another type was not there. */
/** A list, where there is anything in it. */
export function someOf<T>(
	list: readonly T[] | undefined,
): readonly T[] | undefined {
	return list?.length === 0 ? undefined : list;
}

export function textOf(value: unknown): string | undefined {
	return typeof value === "string" ? value : undefined;
}

export function numberOf(value: unknown): number | undefined {
	return typeof value === "number" && Number.isFinite(value)
		? value
		: undefined;
}

export function recordOf(
	value: unknown,
): Readonly<Record<string, unknown>> | undefined {
	return isRecord(value) ? value : undefined;
}

export function listOf(value: unknown): readonly unknown[] {
	return Array.isArray(value) ? value : [];
}

export function recordsOf(
	value: unknown,
): readonly Readonly<Record<string, unknown>>[] {
	return listOf(value).filter(isRecord);
}

const decoder = new TextDecoder();

class Refused extends Error {
	readonly refusal: Refusal;

	constructor(refusal: Refusal) {
		super(refusal.message);
		this.refusal = refusal;
	}
}

function bounds(least: number, most: number): string {
	const open = Math.abs(most) >= Number.MAX_SAFE_INTEGER;
	if (Math.abs(least) >= Number.MAX_SAFE_INTEGER)
		return open ? "" : ` of ${most} or less`;
	return open ? ` of ${least} or more` : ` from ${least} to ${most}`;
}
