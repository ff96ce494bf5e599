import type { Environment } from "../home.ts";

/** Paints text for a terminal; where colour is not wanted, gives it back as it is. */
export interface Style {
	bold(text: string): string;
	dim(text: string): string;
	red(text: string): string;
	green(text: string): string;
	yellow(text: string): string;
}

/**
 * Whether to paint: `wanted` (`--color`, `--no-color`) decides; then NO_COLOR and FORCE_COLOR when they
 * are set and not empty; else only a terminal that can show colours is painted.
 */
export function wantsColor(
	isTerminal: boolean,
	environment: Environment,
	wanted: boolean | undefined,
): boolean {
	if (wanted !== undefined) return wanted;
	if (environment.NO_COLOR) return false;
	if (environment.FORCE_COLOR) return environment.FORCE_COLOR !== "0";
	return isTerminal && environment.TERM !== "dumb";
}

export function openStyle(painted: boolean): Style {
	const paint = (open: number, close: number) => (text: string) =>
		painted && text ? `\u001b[${open}m${text}\u001b[${close}m` : text;
	return {
		bold: paint(1, 22),
		dim: paint(2, 22),
		red: paint(31, 39),
		green: paint(32, 39),
		yellow: paint(33, 39),
	};
}

/**
 * Text that came from elsewhere (names, notes, what a vendor said), safe to show: control characters,
 * among them those that move the cursor or hide text, become visible.
 */
export function harmless(text: string): string {
	return text.replace(
		/[\p{Cc}\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]/gu,
		(character) =>
			`\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`,
	);
}
