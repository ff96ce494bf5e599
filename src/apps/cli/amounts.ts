import {
	formatCredits,
	formatUsd,
	type MicroCredits,
	parseCredits,
	parseUsd,
} from "../../kernel/money.ts";

/** Reads "12.5" (credits) or "0.75usd" (US dollars); undefined when it is neither. */
export function parseAmount(text: string): MicroCredits | undefined {
	const dollars = /^(.*\d) ?usd$/i.exec(text.trim())?.[1];
	return dollars === undefined ? parseCredits(text) : parseUsd(dollars);
}

/** "990.5 credits (9.905 USD)". */
export function amountText(amount: MicroCredits): string {
	return `${formatCredits(amount)} ${Math.abs(amount) === 1_000_000 ? "credit" : "credits"} (${formatUsd(amount)} USD)`;
}

/** "2026-11-21 09:13:18": UTC, to the second. */
export function timeText(time: number): string {
	return new Date(time).toISOString().slice(0, 19).replace("T", " ");
}

/** "3 calls", "1 call". */
export function counted(count: number, noun: string): string {
	return `${count.toLocaleString("en")} ${noun}${count === 1 ? "" : "s"}`;
}
