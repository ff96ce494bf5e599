import { accept, type Outcome, refuse } from "../../kernel/outcome.ts";
import type { StatedNeeds } from "./model.ts";
import { readNeeds } from "./needs.ts";
import { isRecord } from "./selectors.ts";

/*
 * Needs as a caller states them with a request: in a header, for any client that can set one, and in the
 * body's member `dos`. What is not understood is refused: a need that is passed over is a promise broken.
 */

/** What a request says to us in its body. */
export interface DosField {
	readonly needs: StatedNeeds;
	/** Calls of one session stay where their prompt is cached. */
	readonly session?: string;
	/** False: no kept answer may be used. */
	readonly cache?: boolean;
	/** False: the call may not be sent a second time, to another model. */
	readonly shadow?: boolean;
	/** A stream that breaks off may be gone on with by another substrate. */
	readonly resume?: true;
}

/** Reads `x-dos-resume`, as `readNeedsHeader` reads its own. */
export function readResumeHeader(text: string): Outcome<true> {
	return text.trim() === allowed
		? accept(true)
		: refuse("request/invalid", `x-dos-resume: write ${allowed}.`, {
				field: "x-dos-resume",
			});
}

const allowed = "continue";

/**
 * Reads `x-dos-needs`: `sovereignty=eu-processed+no-training, call-type=extract, quality-floor=700`. Refuses
 * with `request/invalid`, naming the header and saying what to write.
 */
export function readNeedsHeader(text: string): Outcome<StatedNeeds> {
	const needs: Record<string, unknown> = {};
	for (const each of text.split(",")) {
		const pair = each.trim();
		if (pair === "") continue;
		const [name = "", value = "", more] = pair.split("=").map(trimmed);
		const reader = Object.hasOwn(byHeader, name) ? byHeader[name] : undefined;
		if (!reader)
			return invalidHeader(
				`"${name.slice(0, 50)}" is no need: write any of ${Object.keys(byHeader).join(", ")}, each with "=" and its value, and a comma between them`,
			);
		if (more !== undefined || value === "")
			return invalidHeader(
				`${name} has no value that can be read: write ${name}=${reader.example}`,
			);
		if (Object.hasOwn(needs, reader.member))
			return invalidHeader(
				`${name} stands there twice: write it once${reader.read === listIn ? `, with "+" between its values` : ""}`,
			);
		needs[reader.member] = reader.read(value);
		const read = readNeeds({ [reader.member]: needs[reader.member] });
		if (typeof read === "string")
			return invalidHeader(`${inKebab(read)}: write ${name}=${reader.example}`);
	}
	return accept(needs);
}

/**
 * Reads the member `dos` of a request's body: `{ "needs": { "callType": "extract" }, "session": "…",
 * "cache": false, "shadow": false, "resume": "continue" }`, its needs under their names or as the header has them. Refuses with
 * `request/invalid`, naming the field and saying what to write.
 */
export function readDosField(raw: unknown): Outcome<DosField> {
	if (!isRecord(raw))
		return invalidField(
			'must be an object, as in {"needs": {"callType": "extract"}, "session": "s-1", "cache": false, "shadow": false, "resume": "continue"}',
		);
	for (const name of Object.keys(raw)) {
		if (!fieldNames.includes(name))
			return invalidField(
				`has "${name.slice(0, 50)}", which is none of ${fieldNames.join(", ")}`,
			);
	}
	const {
		session = undefined,
		cache = undefined,
		shadow = undefined,
		resume = undefined,
	} = withoutNulls(raw);
	if (session !== undefined && !isSession(session))
		return invalidField(
			'has a "session" that is no text of 1 to 200 characters',
		);
	if (cache !== undefined && typeof cache !== "boolean")
		return invalidField('has a "cache" that is neither true nor false');
	if (shadow !== undefined && typeof shadow !== "boolean")
		return invalidField('has a "shadow" that is neither true nor false');
	if (resume !== undefined && resume !== allowed)
		return invalidField(`has a "resume" that is not "${allowed}"`);
	const needs = readMembers(raw.needs ?? {});
	if (typeof needs === "string")
		return invalidField(`has "needs" that cannot be read: ${needs}`);
	return accept({
		needs,
		...(session !== undefined && { session }),
		...(cache !== undefined && { cache }),
		...(shadow !== undefined && { shadow }),
		...(resume !== undefined && { resume: true as const }),
	});
}

const fieldNames = ["needs", "session", "cache", "shadow", "resume"];

interface HeaderNeed {
	readonly member: keyof StatedNeeds;
	readonly example: string;
	/** What is no value of the kind is left as it is, for `readNeeds` to refuse. */
	read(value: string): unknown;
}

const byHeader: Readonly<Record<string, HeaderNeed>> = {
	"call-type": { member: "callType", example: "extract", read: asIs },
	difficulty: { member: "difficulty", example: "easy", read: asIs },
	"quality-floor": { member: "qualityFloor", example: "700", read: wholeIn },
	"latency-ceiling": {
		member: "latencyCeiling",
		example: "2000",
		read: wholeIn,
	},
	"cost-ceiling": { member: "costCeiling", example: "5000", read: wholeIn },
	sovereignty: {
		member: "sovereignty",
		example: "eu-processed+no-training",
		read: listIn,
	},
	channels: { member: "channels", example: "direct+reseller", read: listIn },
	capabilities: { member: "capabilities", example: "tools", read: listIn },
};

function asIs(value: string): string {
	return value;
}

function wholeIn(value: string): unknown {
	return /^\d{1,15}$/.test(value) ? Number(value) : value;
}

function listIn(value: string): readonly string[] {
	return value.split("+").map(trimmed);
}

function trimmed(text: string): string {
	return text.trim();
}

/** Needs under either of their names. */
function readMembers(raw: unknown): StatedNeeds | string {
	if (!isRecord(raw)) return readNeeds(raw) as string;
	const needs = new Map<string, unknown>();
	for (const [name, value] of Object.entries(withoutNulls(raw))) {
		const member = Object.hasOwn(byHeader, name)
			? (byHeader[name] as HeaderNeed).member
			: name;
		if (needs.has(member)) return `${member} stands there twice`;
		needs.set(member, value);
	}
	return readNeeds(Object.fromEntries(needs));
}

function withoutNulls(
	raw: Readonly<Record<string, unknown>>,
): Readonly<Record<string, unknown>> {
	return Object.fromEntries(
		Object.entries(raw).filter(([, value]) => value !== null),
	);
}

function isSession(value: unknown): value is string {
	return typeof value === "string" && value.length >= 1 && value.length <= 200;
}

/** `qualityFloor must be …` as the header has it. */
function inKebab(problem: string): string {
	return problem.replace(/^[a-zA-Z]+/, (name) =>
		name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`),
	);
}

function invalidHeader(problem: string): Outcome<never> {
	return refuse("request/invalid", `x-dos-needs: ${problem}.`, {
		field: "x-dos-needs",
	});
}

function invalidField(problem: string): Outcome<never> {
	return refuse("request/invalid", `"dos" ${problem}.`, { field: "dos" });
}
