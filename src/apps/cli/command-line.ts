import { type Command, InvalidArgumentError, Option } from "commander";
import type { MicroCredits } from "../../kernel/money.ts";
import { parseDuration } from "../config.ts";
import { parseAmount } from "./amounts.ts";
import type { Session } from "./session.ts";

/** How command lines are described and read: what the groups of commands share. */

/** What a command does: its answer goes through the session, its exit code comes back when it is not 0. */
export type Action = (
	session: Session,
	// biome-ignore lint/suspicious/noExplicitAny: commander hands arguments and options over untyped; each command states what it takes.
	...words: any[]
) => Promise<number | undefined> | Promise<void>;

/** Makes a command of what it does. */
export type Run = (action: Action) => (...args: unknown[]) => Promise<void>;

export function examples(...lines: readonly string[]): string {
	return `\nExamples:\n${lines.map((line) => `  $ ${line}`).join("\n")}`;
}

export function caps(command: Command): Command {
	return command
		.option(
			"--cap-total <amount>",
			'most it may ever spend; "none" for no cap',
			readCap,
		)
		.option("--cap-month <amount>", "in a calendar month (UTC)", readCap)
		.option("--cap-day <amount>", "in a calendar day (UTC)", readCap)
		.option("--cap-request <amount>", "in a single call", readCap);
}

export function idempotencyKey(): Option {
	return new Option(
		"--idempotency-key <text>",
		"run again with the same one, it is done once",
	).argParser((text) => {
		if (/^[\x21-\x7e]{1,200}$/.test(text)) return text;
		throw new InvalidArgumentError("It is 1 to 200 visible ASCII characters.");
	});
}

export function readAmount(text: string): MicroCredits {
	const amount = parseAmount(text);
	if (amount !== undefined) return amount;
	throw new InvalidArgumentError(
		'Write credits such as "250" or "0.5" (at most six decimals), or dollars such as "10usd" (at most eight, and 90 million dollars).',
	);
}

export function readAmountAboveZero(text: string): MicroCredits {
	const amount = readAmount(text);
	if (amount > 0) return amount;
	throw new InvalidArgumentError("It must be more than nothing.");
}

export function readCap(text: string): MicroCredits | "none" {
	return text === "none" ? "none" : readAmount(text);
}

export function readDuration(text: string): number {
	const duration = text === "0" ? 0 : parseDuration(text);
	if (duration !== undefined) return duration;
	throw new InvalidArgumentError(
		'Write a duration with its unit, such as "90s", "1h" or "30d".',
	);
}

/** Milliseconds since 1970 of a date or time in UTC, or so long ago. */
export function readMoment(text: string): number {
	const ago = parseDuration(text);
	if (ago !== undefined) return Date.now() - ago;
	if (/^\d{4}-\d\d-\d\d([T ]\d\d:\d\d(:\d\d)?Z?)?$/.test(text)) {
		const time = Date.parse(
			text.length === 10
				? text
				: `${text.replace(" ", "T").replace(/Z$/, "")}Z`,
		);
		// February 30th is no date, though some take it for a day in March.
		const real =
			!Number.isNaN(time) &&
			new Date(time).toISOString().startsWith(text.slice(0, 10));
		if (real) return time;
	}
	throw new InvalidArgumentError(
		'Write a date such as "2026-06-01", a time such as "2026-06-01 14:30", or a duration such as "7d".',
	);
}

function readInteger(text: string, least: number, most: number): number {
	const value = /^\d{1,9}$/.test(text) ? Number(text) : -1;
	if (value >= least && value <= most) return value;
	throw new InvalidArgumentError(
		`Write a whole number from ${least} to ${most}.`,
	);
}
export const readPort = (text: string): number => readInteger(text, 0, 65_535);
export const readCount = (text: string): number =>
	readInteger(text, 0, 999_999_999);
export const readPosition = (text: string): number => {
	const position = /^\d{1,15}$/.test(text) ? Number(text) : 0;
	if (position > 0) return position;
	throw new InvalidArgumentError("Write a position: a whole number from 1.");
};
export const readPositive = (text: string): number =>
	readInteger(text, 1, 999_999_999);

/** Names as vendors give them, without what a file or a shell would take for its own. */
export function readModel(text: string): string {
	if (/^[\p{L}\p{N}._:/@+~[\]-]{1,200}$/u.test(text)) return text;
	throw new InvalidArgumentError(
		'Write vendor/model, such as "openai/gpt-4o-mini", or an alias of yours.',
	);
}

/** The origin of an address. */
export function readAddress(text: string): string {
	const url = URL.canParse(text) ? new URL(text) : undefined;
	const plain =
		url !== undefined &&
		/^https?:$/.test(url.protocol) &&
		url.hostname !== "" &&
		text.replace(/\/$/, "").toLowerCase() === url.origin;
	if (plain) return url.origin;
	throw new InvalidArgumentError(
		'Write where the gateway is, without a path: "https://dos.example.com".',
	);
}

export function readList(text: string): readonly string[] {
	const list = text.split(",").map((one) => one.trim());
	if (list.every((one) => one !== "")) return list;
	throw new InvalidArgumentError(
		"Write one or more patterns with commas between them.",
	);
}
