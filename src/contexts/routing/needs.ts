import type { Capability, Difficulty, StatedNeeds } from "./model.ts";
import { isListOfText, isRecord } from "./selectors.ts";

/**
 * What several say of one call (the caller, its key, its account), all of it kept: classes and capabilities add
 * up, channels must be allowed by each, the strictest bound counts. Kind and difficulty are the first's that says them.
 */
export function joinNeeds(stated: readonly StatedNeeds[]): StatedNeeds {
	return stated.reduce(join, {});
}

/** Reads needs as somebody states them, or says what is wrong: a need that is not understood must not be passed over. */
export function readNeeds(raw: unknown): StatedNeeds | string {
	if (!isRecord(raw)) return "the needs are no map";
	for (const [name, value] of Object.entries(raw)) {
		const read = Object.hasOwn(members, name)
			? members[name as keyof StatedNeeds]
			: undefined;
		if (!read)
			return `"${name.slice(0, 50)}" is no need: there are ${Object.keys(members).join(", ")}`;
		if (!read.is(value)) return `${name} must be ${read.must}`;
	}
	return raw as StatedNeeds;
}

function join(one: StatedNeeds, other: StatedNeeds): StatedNeeds {
	return present({
		callType: one.callType ?? other.callType,
		difficulty: one.difficulty ?? other.difficulty,
		qualityFloor: either(one.qualityFloor, other.qualityFloor, Math.max),
		latencyCeiling: either(one.latencyCeiling, other.latencyCeiling, Math.min),
		costCeiling: either(one.costCeiling, other.costCeiling, Math.min),
		sovereignty: either(one.sovereignty, other.sovereignty, union),
		channels: either(one.channels, other.channels, common),
		capabilities: either(one.capabilities, other.capabilities, union),
	});
}

function either<T>(
	one: T | undefined,
	other: T | undefined,
	both: (one: T, other: T) => T,
): T | undefined {
	if (one === undefined || other === undefined) return one ?? other;
	return both(one, other);
}

function union<T>(one: readonly T[], other: readonly T[]): readonly T[] {
	return [...new Set([...one, ...other])];
}

function common<T>(one: readonly T[], other: readonly T[]): readonly T[] {
	return one.filter((value) => other.includes(value));
}

function present(
	needs: {
		readonly [Name in keyof StatedNeeds]-?: StatedNeeds[Name] | undefined;
	},
): StatedNeeds {
	return Object.fromEntries(
		Object.entries(needs).filter(([, value]) => value !== undefined),
	);
}

interface Member {
	readonly must: string;
	is(value: unknown): boolean;
}

const difficulties: readonly Difficulty[] = ["easy", "medium", "hard"];

const capabilities: readonly Capability[] = [
	"tools",
	"json-schema",
	"reasoning",
	"caching",
	"logprobs",
	"streaming",
	"image",
	"document",
	"audio",
];

const wholeNumber: Member = {
	must: "a whole number from 0",
	is: (value) => Number.isSafeInteger(value) && (value as number) >= 0,
};

/** Needs are recorded with every decision, and come from anybody. */
const mostNames = 32;
const longestName = 100;

function isListOfNames(value: unknown): value is readonly string[] {
	return (
		isListOfText(value) &&
		value.length <= mostNames &&
		value.every((one) => one.length <= longestName)
	);
}

const names: Member = {
	must: `a list of names with one in it, at most ${mostNames} of at most ${longestName} characters`,
	is: isListOfNames,
};

const members: Readonly<Record<keyof StatedNeeds, Member>> = {
	callType: {
		must: "a word of at most 40 characters",
		is: (value) =>
			typeof value === "string" && /^[a-z][a-z0-9-]{0,39}$/.test(value),
	},
	difficulty: {
		must: difficulties.join(" or "),
		is: (value) => difficulties.some((each) => each === value),
	},
	qualityFloor: {
		must: "a whole number from 1 to 1000",
		is: (value) =>
			wholeNumber.is(value) &&
			(value as number) >= 1 &&
			(value as number) <= 1000,
	},
	latencyCeiling: wholeNumber,
	costCeiling: wholeNumber,
	sovereignty: names,
	channels: names,
	capabilities: {
		must: `a list of ${capabilities.join(", ")}`,
		is: (value) =>
			isListOfNames(value) &&
			value.every((one) => capabilities.some((each) => each === one)),
	},
};
