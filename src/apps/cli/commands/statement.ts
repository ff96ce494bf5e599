import {
	accountStream,
	type CreditsEvent,
} from "../../../contexts/credits/index.ts";
import { readEvent } from "../../../kernel/event.ts";
import {
	formatCredits,
	formatUsd,
	type MicroCredits,
} from "../../../kernel/money.ts";
import { refuse } from "../../../kernel/outcome.ts";
import { withLedger } from "../../ledger.ts";
import { amountText, timeText } from "../amounts.ts";
import { csv } from "../csv.ts";
import { orRefused, usage } from "../errors.ts";
import type { Session } from "../session.ts";
import { table } from "../table.ts";

interface StatementOptions {
	readonly account?: string;
	readonly since?: number;
	readonly until?: number;
	readonly limit?: number;
	readonly csv?: boolean;
}

/** One line of a statement: money that came or went. Amounts are micro-credits. */
interface StatementLine {
	readonly time: number;
	readonly position: number;
	readonly type: "grant" | "call" | "refund";
	/** What was granted or refunded; what was charged, as a negative number. */
	readonly amount: MicroCredits;
	/** Granted and not spent, after this line; what calls in flight held is in it. */
	readonly balance: MicroCredits;
	readonly call?: string;
	readonly key?: string;
	readonly model?: string;
	readonly ending?: string;
	readonly basis?: string;
	readonly uncollected?: MicroCredits;
	readonly note?: string;
}

const pageSize = 1_000;

export async function statement(
	session: Session,
	options: StatementOptions,
): Promise<void> {
	const account = options.account ?? session.config().config.account;
	const { since = 0, until = Number.POSITIVE_INFINITY } = options;
	if (since >= until)
		throw usage(
			"--since is not before --until: nothing could lie between them.",
		);
	const limit = options.limit ?? (options.csv ? 0 : 30);
	await withLedger(session.home, async (ledger) => {
		const known = ledger.head.state("credits").accounts.get(account);
		if (!known)
			return orRefused(
				refuse(
					"account/unknown",
					`There is no account "${account}". Run: dos credits balance`,
				),
			);
		const progress = session.progress("Reading events:");
		const kept: StatementLine[] = [];
		let left = 0;
		let balance = 0;
		let opening = 0;
		for (let after = 0; ; ) {
			const page = await ledger.log.readStream(accountStream(account), {
				after,
				limit: pageSize,
			});
			for (const stored of page) {
				const line = lineOf(readEvent(stored) as CreditsEvent, balance);
				if (!line) continue;
				balance = line.balance;
				if (line.time < since) opening = balance;
				if (line.time < since || line.time >= until) continue;
				kept.push(line);
				if (limit > 0 && kept.length > limit) {
					left += 1;
					opening = (kept.shift() as StatementLine).balance;
				}
			}
			const last = page.at(-1);
			if (!last || page.length < pageSize) break;
			after = last.version;
			progress.at(after);
		}
		progress.end();
		const closing = kept.at(-1)?.balance ?? opening;
		if (options.csv && !session.json) return writeCsv(session, kept);
		session.result(
			{ account, opening, closing, leftOut: left, lines: kept },
			() => {
				if (kept.length === 0)
					return `Nothing in this time. Balance: ${amountText(closing)}.`;
				const { style } = session;
				// The year only where the lines are not all of this one: a narrow screen has better use for the room.
				const year = new Date(session.now()).getUTCFullYear();
				const from = kept.every(
					({ time }) => new Date(time).getUTCFullYear() === year,
				)
					? 5
					: 0;
				const shortTime = (time: number) => timeText(time).slice(from, 16);
				const rows = table(
					[
						{ title: "time (UTC)" },
						{ title: "what", shrink: 12 },
						{ title: "call or note", shrink: 31 },
						{
							title: "credits",
							align: "right",
							paint: (cell, row) =>
								(kept[row]?.amount ?? 0) > 0 ? style.green(cell) : cell,
						},
						{ title: "balance", align: "right" },
					],
					kept.map((line) => [
						shortTime(line.time),
						whatOf(line),
						line.call ?? line.note ?? "",
						`${line.amount > 0 ? "+" : ""}${formatCredits(line.amount)}`,
						formatCredits(line.balance),
					]),
					session.width,
				);
				const earlier =
					left > 0
						? `… ${left.toLocaleString("en")} earlier lines; --limit 0 shows all\n`
						: "";
				return `${earlier}${rows}\n\nBalance: ${amountText(closing)}${heldNote(known.held)}`;
			},
		);
	});
}

/** The line of an event, or undefined when it moved no money for good and nobody needs to see it. */
function lineOf(
	{ type, data, time, position }: CreditsEvent,
	before: MicroCredits,
): StatementLine | undefined {
	switch (type) {
		case "credits-granted":
			return {
				time,
				position,
				type: "grant",
				amount: data.amount,
				balance: before + data.amount,
				...(data.note !== undefined && { note: data.note }),
			};
		case "credits-settled":
			return {
				time,
				position,
				type: "call",
				amount: 0 - data.amount,
				balance: before - data.amount,
				call: data.call,
				...(data.key !== undefined && { key: data.key }),
				model: data.substrate,
				ending: data.ending,
				basis: data.basis,
				...(data.uncollected !== undefined && {
					uncollected: data.uncollected,
				}),
			};
		case "credits-released":
			// Free, and yet to be seen: the vendor may have charged for what our own crash cut off.
			if (data.ending !== "crashed") return undefined;
			return {
				time,
				position,
				type: "call",
				amount: 0,
				balance: before,
				call: data.call,
				...(data.key !== undefined && { key: data.key }),
				model: data.substrate,
				ending: data.ending,
			};
		case "credits-refunded":
			return {
				time,
				position,
				type: "refund",
				amount: data.amount,
				balance: before + data.amount,
				call: data.call,
				...(data.key !== undefined && { key: data.key }),
				note: data.reason,
			};
		default:
			return undefined;
	}
}

function whatOf(line: StatementLine): string {
	if (line.type === "grant") return "grant";
	if (line.type === "refund") return `refund: ${line.note}`;
	if (line.ending === "crashed") return `crashed: ${line.model}`;
	const remarks = [
		...(line.ending === "finished" ? [] : [line.ending]),
		...(line.basis === "estimated" ? ["estimated"] : []),
		...(line.uncollected
			? [`${formatCredits(line.uncollected)} uncollected`]
			: []),
	];
	return `${line.model}${remarks.length > 0 ? ` (${remarks.join(", ")})` : ""}`;
}

function heldNote(held: MicroCredits): string {
	return held > 0
		? `, of which calls in flight hold ${formatCredits(held)}.`
		: ".";
}

async function writeCsv(
	session: Session,
	lines: readonly StatementLine[],
): Promise<void> {
	await session.write(
		csv([
			[
				"time",
				"position",
				"type",
				"credits",
				"balance",
				"usd",
				"call",
				"key",
				"model",
				"ending",
				"basis",
				"uncollected",
				"note",
			],
		]),
	);
	for (let from = 0; from < lines.length; from += pageSize) {
		await session.write(
			csv(
				lines
					.slice(from, from + pageSize)
					.map((line) => [
						new Date(line.time).toISOString(),
						line.position,
						line.type,
						formatCredits(line.amount),
						formatCredits(line.balance),
						formatUsd(line.amount),
						line.call ?? "",
						line.key ?? "",
						line.model ?? "",
						line.ending ?? "",
						line.basis ?? "",
						line.uncollected === undefined
							? ""
							: formatCredits(line.uncollected),
						line.note ?? "",
					]),
			),
		);
	}
}
