import type {
	Difficulty,
	Grade,
	OwnerTable,
	Selector,
	TableRow,
} from "./model.ts";
import { isListOfText, isRecord, readSelector } from "./selectors.ts";

/**
 * What holds until the owner says otherwise: easy calls to small or open models, hard ones to the flagships.
 * The grades are a beginning to measure against, by how vendors place their own models.
 */
export const defaultTable: OwnerTable = {
	version: "default/1",
	rows: [
		{
			difficulties: ["hard"],
			prefer: [{ tier: ["flagship"] }, { tier: ["balanced"] }],
		},
		{
			difficulties: ["medium"],
			prefer: [{ tier: ["balanced"] }, { tier: ["flagship"] }],
		},
		{
			prefer: [
				{ tier: ["small"], weights: ["open"] },
				{ tier: ["small"] },
				{ weights: ["open"] },
				{ tier: ["balanced"] },
			],
		},
	],
	grades: [
		{ where: { tier: ["flagship"] }, quality: 900 },
		{ where: { tier: ["balanced"] }, quality: 800 },
		{ where: { tier: ["small"] }, quality: 650 },
	],
	aliases: {
		smart: [{ tier: ["flagship"] }],
		fast: [{ tier: ["small"] }],
		cheap: [{ tier: ["small"] }, { weights: ["open"] }],
		local: [{ channel: ["own-machine"] }],
	},
	killed: [],
};

/** The first row for a call; undefined where the table has none. */
export function rowFor(
	rows: readonly TableRow[],
	callType: string,
	difficulty: Difficulty,
): TableRow | undefined {
	return rows.find(
		({ callTypes, difficulties }) =>
			(callTypes === undefined || callTypes.includes(callType)) &&
			(difficulties === undefined || difficulties.includes(difficulty)),
	);
}

/**
 * The owner's table over the default one: rows and grades of the owner's go first, aliases win by name. Or what
 * is wrong with it, and then nothing of it is in force: what is killed must not come back by a slip of the pen.
 */
export function readTable(version: string, raw: unknown): OwnerTable | string {
	if (raw === undefined) return { ...defaultTable, version };
	if (!isRecord(raw)) return "the table is no map";
	const stray = Object.keys(raw).find(
		(name) => !["rows", "grades", "aliases", "killed"].includes(name),
	);
	if (stray !== undefined) return `"${stray}" is not known`;
	const rows = readEach(raw.rows, "rows", readRow);
	if (typeof rows === "string") return rows;
	const grades = readEach(raw.grades, "grades", readGrade);
	if (typeof grades === "string") return grades;
	const killed = readEach(raw.killed, "killed", readSelector);
	if (typeof killed === "string") return killed;
	const aliases = new Map(Object.entries(defaultTable.aliases));
	if (raw.aliases !== undefined && !isRecord(raw.aliases))
		return "aliases is no map";
	for (const [name, value] of Object.entries(raw.aliases ?? {})) {
		const read = readEach(value, `aliases: ${name}`, readSelector);
		if (typeof read === "string") return read;
		if (name === "auto" || read.length === 0)
			return `aliases: "${name}" must name something, and cannot be auto`;
		aliases.set(name, read);
	}
	return {
		version,
		rows: [...rows, ...defaultTable.rows],
		grades: [...grades, ...defaultTable.grades],
		aliases: Object.fromEntries(aliases),
		killed,
	};
}

function readEach<T>(
	raw: unknown,
	name: string,
	read: (raw: unknown) => T | string,
): readonly T[] | string {
	if (raw === undefined) return [];
	if (!Array.isArray(raw)) return `${name} is no list`;
	const values: T[] = [];
	for (const [at, each] of raw.entries()) {
		const value = read(each);
		if (typeof value === "string") return `${name}, number ${at + 1}: ${value}`;
		values.push(value);
	}
	return values;
}

const difficulties: readonly unknown[] = ["easy", "medium", "hard"];

function readRow(raw: unknown): TableRow | string {
	if (!isRecord(raw)) return "it is no map";
	const stray = Object.keys(raw).find(
		(name) => !["callTypes", "difficulties", "prefer"].includes(name),
	);
	if (stray !== undefined) return `"${stray}" is not known`;
	if (raw.callTypes !== undefined && !isListOfText(raw.callTypes))
		return "callTypes is no list of texts";
	const named = raw.difficulties;
	if (
		named !== undefined &&
		!(isListOfText(named) && named.every((each) => difficulties.includes(each)))
	)
		return "difficulties is no list of easy, medium and hard";
	const prefer = readEach<Selector>(raw.prefer, "prefer", readSelector);
	if (typeof prefer === "string") return prefer;
	return { ...raw, prefer } as TableRow;
}

function readGrade(raw: unknown): Grade | string {
	if (!isRecord(raw)) return "it is no map";
	const stray = Object.keys(raw).find(
		(name) => !["callTypes", "where", "quality"].includes(name),
	);
	if (stray !== undefined) return `"${stray}" is not known`;
	if (raw.callTypes !== undefined && !isListOfText(raw.callTypes))
		return "callTypes is no list of texts";
	const where = readSelector(raw.where);
	if (typeof where === "string") return where;
	const { quality } = raw;
	if (
		!Number.isInteger(quality) ||
		!((quality as number) >= 1 && (quality as number) <= 1000)
	)
		return "quality is no whole number from 1 to 1000";
	return { ...raw, where, quality } as Grade;
}
