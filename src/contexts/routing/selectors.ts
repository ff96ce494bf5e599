import type { Fact, SubstrateFacts } from "../../ports/catalogue.ts";
import { memberCountries } from "./countries.ts";
import type { Selector } from "./model.ts";

/** What facts say of a requirement. What is not known is neither. */
export type Truth = "yes" | "no" | "unknown";

/**
 * Whether a substrate fits for certain: every country it may be processed in, every law and all of its
 * lineage must be among those named. What allows or requires stands on this.
 */
export function holds(selector: Selector, facts: SubstrateFacts): Truth {
	return fit(selector, facts, false);
}

/**
 * Whether a substrate fits in any part: one such country, law or ancestor is enough. What denies stands on
 * this, and only a clear `no` gets past it.
 */
export function touches(selector: Selector, facts: SubstrateFacts): Truth {
	return fit(selector, facts, true);
}

/** The first field that stands in the way of `holds`, in words; undefined where none does. */
export function whyNot(
	selector: Selector,
	facts: SubstrateFacts,
): string | undefined {
	if (holds(selector, facts) === "yes") return undefined;
	let unknown: string | undefined;
	for (const name of fieldNames) {
		if (selector[name] === undefined) continue;
		const truth = fields[name].test(selector)(facts, false);
		if (truth === "yes") continue;
		const { called } = fields[name];
		const wanted = `it must be ${say(selector[name])}`;
		if (truth === "no")
			return `${called} is ${fields[name].shown(facts)}, and ${wanted}`;
		unknown ??= `${called} is not known, and ${wanted}`;
	}
	return unknown;
}

/** `vendor a or b, country EU`. */
export function describe(selector: Selector): string {
	return fieldNames
		.filter((name) => selector[name] !== undefined)
		.map((name) => `${name} ${say(selector[name])}`)
		.join(", ");
}

/** A selector of the owner's, or what is wrong with it. */
export function readSelector(raw: unknown): Selector | string {
	if (!isRecord(raw)) return "a rule is not a map of fields";
	const names = Object.keys(raw);
	if (names.length === 0)
		return "a rule names nothing, and would mean everything";
	for (const name of names) {
		if (!Object.hasOwn(fields, name))
			return `"${name}" is no field of a rule: there are ${fieldNames.join(", ")}`;
		const problem = fields[name as FieldName].problem(raw[name]);
		if (problem !== undefined) return `${name} ${problem}`;
	}
	return raw as Selector;
}

/** `*` stands for anything, also for nothing; case does not count. */
export function matches(pattern: string, text: string): boolean {
	const [head = "", ...rest] = pattern.toLowerCase().split("*");
	const whole = text.toLowerCase();
	const tail = rest.pop();
	if (tail === undefined) return whole === head;
	if (
		!whole.startsWith(head) ||
		!whole.endsWith(tail) ||
		whole.length < head.length + tail.length
	)
		return false;
	let at = head.length;
	for (const part of rest) {
		const found = whole.indexOf(part, at);
		if (found < 0) return false;
		at = found + part.length;
	}
	return at <= whole.length - tail.length;
}

export function isRecord(raw: unknown): raw is Record<string, unknown> {
	return typeof raw === "object" && raw !== null && !Array.isArray(raw);
}

export function isListOfText(raw: unknown): raw is readonly string[] {
	return (
		Array.isArray(raw) &&
		raw.length > 0 &&
		raw.every((value) => typeof value === "string" && value.trim() !== "")
	);
}

type FieldName = keyof Selector;

interface Field {
	/** In a sentence: "its vendor is …". */
	readonly called: string;
	test(selector: Selector): Test;
	shown(facts: SubstrateFacts): string;
	problem(raw: unknown): string | undefined;
}

/** Names of one thing that a field can be about: an ancestor has a trainer and a name. */
type Names = readonly string[];

interface Known {
	readonly things: readonly Names[];
	/** False where there may be more than is known. */
	readonly complete: boolean;
}

function fit(
	selector: Selector,
	facts: SubstrateFacts,
	anyPart: boolean,
): Truth {
	let unknown = false;
	for (const test of testsOf(selector)) {
		const truth = test(facts, anyPart);
		if (truth === "no") return "no";
		if (truth === "unknown") unknown = true;
	}
	return unknown ? "unknown" : "yes";
}

type Test = (facts: SubstrateFacts, anyPart: boolean) => Truth;

/** Made once for each selector, as it meets every substrate. */
const testsOf = remembered((selector: Selector): readonly Test[] =>
	fieldNames
		.filter((name) => selector[name] !== undefined)
		.map((name) => fields[name].test(selector)),
);

type ListName = Exclude<FieldName, "trains" | "retentionDaysAtMost">;

/** A field with a list of values, of which one fits. `whole`: to hold, all that is known of must fit. */
function list(
	name: ListName,
	called: string,
	known: (facts: SubstrateFacts) => Known,
	options: {
		readonly whole?: boolean;
		/** What a value stands for beside itself. */
		readonly members?: (wanted: string) => readonly string[];
		readonly pattern?: boolean;
		readonly among?: readonly string[];
	} = {},
): Field {
	const { whole = false, members, pattern = false, among } = options;
	const read = remembered((facts: SubstrateFacts): Known => {
		const { things, complete } = known(facts);
		return {
			things: things.map((names) => names.map((each) => each.toLowerCase())),
			complete,
		};
	});
	return {
		called,
		test(selector) {
			const given = selector[name] as readonly string[];
			const wanted = [
				...given,
				...given.flatMap((each) => members?.(each) ?? []),
			].map((each) => each.toLowerCase());
			const fitting = (names: Names): boolean => {
				for (const each of names) {
					if (
						pattern
							? wanted.some((one) => matches(one, each))
							: wanted.includes(each)
					)
						return true;
				}
				return false;
			};
			return (facts, anyPart) => {
				const { things, complete } = read(facts);
				if (!anyPart && whole) {
					if (!things.every(fitting)) return "no";
					if (!complete) return "unknown";
					return things.length > 0 ? "yes" : "no";
				}
				if (things.some(fitting)) return "yes";
				return complete ? "no" : "unknown";
			};
		},
		shown: (facts) =>
			known(facts)
				.things.map((names) => names.join(" by "))
				.join(" and ") || "none",
		problem(raw) {
			if (!isListOfText(raw)) return "is no list of texts with one in it";
			const stray = among && raw.find((value) => !among.includes(value));
			return stray === undefined
				? undefined
				: `cannot be "${stray}": there are ${among?.join(", ")}`;
		},
	};
}

const fields: Readonly<Record<FieldName, Field>> = {
	substrate: list("substrate", "the substrate", ({ id }) => sure(id), {
		pattern: true,
	}),
	model: list(
		"model",
		"the model",
		({ name, model }) => ({ things: [[name, model]], complete: true }),
		{ pattern: true },
	),
	vendor: list("vendor", "its vendor", ({ vendor }) => sure(vendor)),
	operator: list("operator", "its operator", ({ operator }) => one(operator)),
	lineage: list("lineage", "its lineage", lineageOf, { whole: true }),
	country: list(
		"country",
		"where it is processed",
		({ countries }) => several(countries),
		{ whole: true, members: memberCountries },
	),
	seat: list("seat", "its operator's seat", ({ seat }) => one(seat), {
		members: memberCountries,
	}),
	law: list("law", "the law over its operator", ({ laws }) => several(laws), {
		whole: true,
		members: memberCountries,
	}),
	channel: list("channel", "its channel", ({ channel }) => one(channel)),
	attestation: list("attestation", "what attests it", ({ attestations }) =>
		several(attestations),
	),
	weights: list("weights", "its weights", ({ weights }) => one(weights), {
		among: ["open", "closed"],
	}),
	tier: list("tier", "its tier", ({ tier }) => one(tier), {
		among: ["flagship", "balanced", "small"],
	}),
	trains: {
		called: "whether it trains on calls",
		test:
			({ trains }) =>
			(facts) =>
				judge(facts.trains, (value) => value === trains),
		shown: ({ trains }) => show(trains),
		problem: (raw) =>
			typeof raw === "boolean" ? undefined : "is not true or false",
	},
	retentionDaysAtMost: {
		called: "the days it keeps calls",
		test:
			({ retentionDaysAtMost = 0 }) =>
			(facts) =>
				judge(facts.retentionDays, (days) => days <= retentionDaysAtMost),
		shown: ({ retentionDays }) => show(retentionDays),
		problem: (raw) =>
			typeof raw === "number" && raw >= 0 ? undefined : "is no number from 0",
	},
};

const fieldNames = Object.keys(fields) as FieldName[];

/** Itself and all that it was made from: a fine-tune has the origin of its base. */
function lineageOf({ name, trainer, bases }: SubstrateFacts): Known {
	const things: Names[] = [];
	if (trainer !== "unknown") things.push([name, trainer.value]);
	if (bases !== "unknown")
		for (const base of bases.value) things.push([base.model, base.trainer]);
	return {
		things,
		complete: trainer !== "unknown" && bases !== "unknown",
	};
}

function sure(value: string): Known {
	return { things: [[value]], complete: true };
}

function one(fact: Fact<string>): Known {
	return fact === "unknown" ? notKnown : sure(fact.value);
}

function several(fact: Fact<readonly string[]>): Known {
	return fact === "unknown"
		? notKnown
		: { things: fact.value.map((value) => [value]), complete: true };
}

const notKnown: Known = { things: [], complete: false };

function judge<T>(fact: Fact<T>, good: (value: T) => boolean): Truth {
	if (fact === "unknown") return "unknown";
	return good(fact.value) ? "yes" : "no";
}

/** Facts never change, so what is read from them is read once. */
function remembered<Key extends WeakKey, Value>(
	read: (key: Key) => Value,
): (key: Key) => Value {
	const values = new WeakMap<Key, Value>();
	return (key) => {
		let value = values.get(key);
		if (value === undefined) {
			value = read(key);
			values.set(key, value);
		}
		return value;
	};
}

function show(fact: Fact<unknown>): string {
	return fact === "unknown" ? "unknown" : String(fact.value);
}

function say(value: unknown): string {
	if (Array.isArray(value)) return value.join(" or ");
	return typeof value === "number" ? `${value} or less` : String(value);
}
