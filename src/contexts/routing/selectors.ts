import type { Fact, SubstrateFacts } from "../../ports/catalogue.ts";
import { memberCountries } from "./countries.ts";
import type { Selector } from "./model.ts";
import {
	addPlace,
	allPlaces,
	join,
	keep,
	leave,
	noPlaces,
	type Places,
} from "./places.ts";

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
	let unknown: string | undefined;
	for (const { name, field, wanted } of conditionsOf(selector)) {
		const truth = judge(field, wanted, facts, false);
		if (truth === "yes") continue;
		const must = `it must be ${say(selector[name])}`;
		if (truth === "no")
			return `${field.called} is ${shown(field.known(facts))}, and ${must}`;
		unknown ??= `${field.called} is not known, and ${must}`;
	}
	return unknown;
}

/** A catalogue by its fields: each selector is judged over all of it at once. Sets of places are the caller's own. */
export interface Columns {
	/** Of the catalogue. */
	readonly size: number;
	/** Of what it `holds`: yes. */
	certain(selector: Selector): Places;
	/** What it `touches`, or may touch. */
	possible(selector: Selector): Places;
}

/** A field is read when it is first asked for. */
export function openColumns(substrates: readonly SubstrateFacts[]): Columns {
	const size = substrates.length;
	const columns = new Map<FieldName, Column>();

	function columnOf(name: FieldName): Column {
		let column = columns.get(name);
		if (!column) {
			column = readColumn(fields[name], substrates);
			columns.set(name, column);
		}
		return column;
	}

	function fitting(selector: Selector, isCertain: boolean): Places {
		let places: Places | undefined;
		const names = (Object.keys(selector) as FieldName[]).sort(
			(one, other) => Number(wide.has(one)) - Number(wide.has(other)),
		);
		for (const name of names) {
			if (places?.every((bits) => bits === 0)) break;
			const field = fields[name];
			const column = columnOf(name);
			const wanted = field.wants(selector);
			const some = fittingIn(column, wanted, size);
			if (!isCertain) join(some, column.incomplete);
			else if (field.whole) leave(some, strayIn(column, wanted, size));
			places = places ? keep(places, some) : some;
		}
		return places ?? allPlaces(size);
	}

	return {
		size,
		certain: (selector) => fitting(selector, true),
		possible: (selector) => fitting(selector, false),
	};
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

/** `*` stands for anything, also for nothing; case does not count. Texts are in lower case. */
export function patternOf(pattern: string): (text: string) => boolean {
	const [head = "", ...rest] = pattern.toLowerCase().split("*");
	const tail = rest.pop();
	if (tail === undefined) return (text) => text === head;
	return (text) => {
		if (!text.startsWith(head) || !text.endsWith(tail)) return false;
		let at = head.length;
		for (const part of rest) {
			const found = text.indexOf(part, at);
			if (found < 0) return false;
			at = found + part.length;
		}
		return at <= text.length - tail.length;
	};
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
	known(facts: SubstrateFacts): Known;
	/** The same where there is one thing of one name: quicker. */
	readonly single?: (facts: SubstrateFacts) => Fact<Name>;
	/** To hold, all that is known of must fit; absent: one thing is enough. */
	readonly whole?: boolean;
	wants(selector: Selector): Wanted;
	problem(raw: unknown): string | undefined;
}

type Name = string | number | boolean;

interface Known {
	/** Each by all its names: an ancestor has a trainer and a name. */
	readonly things: readonly (readonly Name[])[];
	/** False where there may be more than is known. */
	readonly complete: boolean;
}

/** What one field of a selector asks for. Names are in lower case. */
interface Wanted {
	/** All that fit, where they can be told. */
	readonly names?: readonly Name[];
	fits(name: Name): boolean;
}

interface Condition {
	readonly name: FieldName;
	readonly field: Field;
	readonly wanted: Wanted;
}

/** One field of all substrates. */
interface Column {
	/** Who has a name. */
	readonly having: ReadonlyMap<Name, readonly number[]>;
	/** Where there may be more than is known. */
	readonly incomplete: Places;
	/** Where more than one thing is known of. */
	readonly several: readonly {
		readonly place: number;
		readonly things: Known["things"];
	}[];
}

function readColumn(
	{ known, single }: Field,
	substrates: readonly SubstrateFacts[],
): Column {
	const having = new Map<Name, number[]>();
	/** The same lists by the names as somebody wrote them. */
	const written = new Map<Name, number[]>();
	const incomplete = noPlaces(substrates.length);
	const several: Column["several"][number][] = [];

	function note(place: number, name: Name): void {
		let places = written.get(name);
		if (!places) {
			places = having.get(lower(name)) ?? [];
			having.set(lower(name), places);
			written.set(name, places);
		}
		places.push(place);
	}

	for (const [place, facts] of substrates.entries()) {
		const fact = single?.(facts);
		if (fact !== undefined && fact !== "unknown") {
			note(place, fact.value);
			continue;
		}
		const { things, complete } = known(facts);
		if (!complete) addPlace(incomplete, place);
		if (things.length > 1) several.push({ place, things });
		for (const names of things) for (const name of names) note(place, name);
	}
	return { having, incomplete, several };
}

/** Where something that is known of fits. */
function fittingIn({ having }: Column, wanted: Wanted, size: number): Places {
	const places = noPlaces(size);
	const names =
		wanted.names ?? [...having.keys()].filter((name) => wanted.fits(name));
	for (const name of names)
		for (const place of having.get(name) ?? []) addPlace(places, place);
	return places;
}

/** Where something else is known of, or may be. */
function strayIn(column: Column, wanted: Wanted, size: number): Places {
	const stray = noPlaces(size);
	for (const { place, things } of column.several)
		if (!things.every((names) => isFitting(names, wanted)))
			addPlace(stray, place);
	return join(stray, column.incomplete);
}

function fit(
	selector: Selector,
	facts: SubstrateFacts,
	anyPart: boolean,
): Truth {
	let unknown = false;
	for (const { field, wanted } of conditionsOf(selector)) {
		const truth = judge(field, wanted, facts, anyPart);
		if (truth === "no") return "no";
		if (truth === "unknown") unknown = true;
	}
	return unknown ? "unknown" : "yes";
}

function judge(
	{ known, whole }: Field,
	wanted: Wanted,
	facts: SubstrateFacts,
	anyPart: boolean,
): Truth {
	const { things, complete } = known(facts);
	if (whole && !anyPart) {
		if (!things.every((names) => isFitting(names, wanted))) return "no";
		if (!complete) return "unknown";
		return things.length > 0 ? "yes" : "no";
	}
	if (things.some((names) => isFitting(names, wanted))) return "yes";
	return complete ? "no" : "unknown";
}

function isFitting(names: readonly Name[], wanted: Wanted): boolean {
	return names.some((name) => wanted.fits(lower(name)));
}

/** Selectors never change: each is made ready once. */
function conditionsOf(selector: Selector): readonly Condition[] {
	let conditions = ready.get(selector);
	if (conditions === undefined) {
		conditions = fieldNames
			.filter((name) => selector[name] !== undefined)
			.map((name) => {
				const field = fields[name];
				return { name, field, wanted: field.wants(selector) };
			});
		ready.set(selector, conditions);
	}
	return conditions;
}

const ready = new WeakMap<Selector, readonly Condition[]>();

type ListName = Exclude<FieldName, "trains" | "retentionDaysAtMost">;

/** A field with a list of values, of which one fits. */
function list(
	name: ListName,
	called: string,
	reading: Reading,
	options: {
		readonly whole?: boolean;
		/** What a value stands for beside itself. */
		readonly members?: (wanted: string) => readonly string[];
		readonly pattern?: boolean;
		readonly among?: readonly string[];
	} = {},
): Field {
	const { whole = false, members, pattern = false, among } = options;
	return {
		called,
		...reading,
		whole,
		wants(selector) {
			const given = selector[name] as readonly string[];
			if (pattern) {
				const patterns = given.map(patternOf);
				return {
					fits: (text) => patterns.some((fits) => fits(text as string)),
				};
			}
			const named = anyOf(given);
			if (!members) return named;
			return {
				fits: (name) =>
					named.fits(name) ||
					given.some((each) =>
						members(each).includes((name as string).toUpperCase()),
					),
			};
		},
		problem(raw) {
			if (!isListOfText(raw)) return "is no list of texts with one in it";
			const stray = among && raw.find((value) => !among.includes(value));
			return stray === undefined
				? undefined
				: `cannot be "${stray}": there are ${among?.join(", ")}`;
		},
	};
}

function anyOf(given: readonly Name[]): Wanted {
	const names = given.map(lower);
	return { names, fits: (name) => names.includes(name) };
}

const fields: Readonly<Record<FieldName, Field>> = {
	substrate: list(
		"substrate",
		"the substrate",
		all(({ id }) => sure(id)),
		{
			pattern: true,
		},
	),
	model: list(
		"model",
		"the model",
		all(({ name, model }) => ({ things: [[name, model]], complete: true })),
		{ pattern: true },
	),
	vendor: list(
		"vendor",
		"its vendor",
		all(({ vendor }) => sure(vendor)),
	),
	operator: list(
		"operator",
		"its operator",
		one(({ operator }) => operator),
	),
	lineage: list("lineage", "its lineage", all(lineageOf), { whole: true }),
	country: list(
		"country",
		"where it is processed",
		several(({ countries }) => countries),
		{ whole: true, members: memberCountries },
	),
	seat: list(
		"seat",
		"its operator's seat",
		one(({ seat }) => seat),
		{
			members: memberCountries,
		},
	),
	law: list(
		"law",
		"the law over its operator",
		several(({ laws }) => laws),
		{
			whole: true,
			members: memberCountries,
		},
	),
	channel: list(
		"channel",
		"its channel",
		one(({ channel }) => channel),
	),
	attestation: list(
		"attestation",
		"what attests it",
		several(({ attestations }) => attestations),
	),
	weights: list(
		"weights",
		"its weights",
		one(({ weights }) => weights),
		{
			among: ["open", "closed"],
		},
	),
	tier: list(
		"tier",
		"its tier",
		one(({ tier }) => tier),
		{
			among: ["flagship", "balanced", "small"],
		},
	),
	trains: {
		called: "whether it trains on calls",
		...one(({ trains }) => trains),
		wants: ({ trains }) => anyOf([trains as boolean]),
		problem: (raw) =>
			typeof raw === "boolean" ? undefined : "is not true or false",
	},
	retentionDaysAtMost: {
		called: "the days it keeps calls",
		...one(({ retentionDays }) => retentionDays),
		wants: ({ retentionDaysAtMost }) => ({
			fits: (days) => (days as number) <= (retentionDaysAtMost as number),
		}),
		problem: (raw) =>
			typeof raw === "number" && raw >= 0 ? undefined : "is no number from 0",
	},
};

const fieldNames = Object.keys(fields) as FieldName[];

/** Different for nearly every substrate: asked last, as then mostly nobody is left to ask about. */
const wide: ReadonlySet<FieldName> = new Set(["substrate", "model", "lineage"]);

/** Itself and all that it was made from: a fine-tune has the origin of its base. */
function lineageOf({ name, trainer, bases }: SubstrateFacts): Known {
	const itself = trainer === "unknown" ? [] : [[name, trainer.value]];
	if (bases === "unknown") return { things: itself, complete: false };
	return {
		things: [
			...itself,
			...bases.value.map((base) => [base.model, base.trainer]),
		],
		complete: trainer !== "unknown",
	};
}

function sure(value: Name): Known {
	return { things: [[value]], complete: true };
}

type Reading = Pick<Field, "known" | "single">;

function all(known: Field["known"]): Reading {
	return { known };
}

function one(of: (facts: SubstrateFacts) => Fact<Name>): Reading {
	return {
		known(facts) {
			const fact = of(facts);
			return fact === "unknown" ? notKnown : sure(fact.value);
		},
		single: of,
	};
}

function several(
	of: (facts: SubstrateFacts) => Fact<readonly string[]>,
): Reading {
	return all((facts) => {
		const fact = of(facts);
		return fact === "unknown"
			? notKnown
			: { things: fact.value.map((value) => [value]), complete: true };
	});
}

const notKnown: Known = { things: [], complete: false };

function lower(name: Name): Name {
	return typeof name === "string" ? name.toLowerCase() : name;
}

function shown({ things }: Known): string {
	return things.map((names) => names.join(" by ")).join(" and ") || "none";
}

function say(value: unknown): string {
	if (Array.isArray(value)) return value.join(" or ");
	return typeof value === "number" ? `${value} or less` : String(value);
}
