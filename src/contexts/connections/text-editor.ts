/**
 * Changes single values in a text and nothing else: comments, order, indentation and line ends stay. Values are
 * passed as they are written (`"a"` with its quotes), so that what was there can be put back as it was.
 * Every function throws `Unclear` where the text cannot be read, or not be changed without guessing.
 */
export interface TextEditor {
	/** The value at a path as it is written; undefined when there is none. */
	find(text: string, path: readonly string[]): string | undefined;
	/** Puts a value there. `made` tells how many containers around it had to be made. */
	set(
		text: string,
		path: readonly string[],
		written: string,
	): { readonly text: string; readonly made: number };
	/** Takes it out, and of the containers around it as many as were made for it and are empty now. */
	remove(text: string, path: readonly string[], made: number): string;
	/** How a text is written as a value. */
	write(value: string): string;
	/** The text that a value stands for; undefined for what is no text. */
	read(written: string): string | undefined;
}

/** A text that is not as its format says, or that says what we would set in a form we do not change. */
export class Unclear extends Error {
	/** 1-based. */
	readonly line: number;

	constructor(text: string, at: number, message: string) {
		super(message);
		this.line = text.slice(0, at).split("\n").length;
	}
}

/** How lines end in a text: as its first one does. */
export function lineEndOf(text: string): "\n" | "\r\n" {
	return /^[^\n]*\r\n/.test(text) ? "\r\n" : "\n";
}

/** Where the line that `at` stands in begins. */
export function lineStart(text: string, at: number): number {
	return text.lastIndexOf("\n", at - 1) + 1;
}

/** Where the line that `at` stands in is over, its line end included. */
export function nextLine(text: string, at: number): number {
	const end = text.indexOf("\n", at);
	return end < 0 ? text.length : end + 1;
}

/** A text that ends with a line end, or is empty. */
export function withLineEnd(text: string): string {
	return text === "" || text === "\ufeff" || text.endsWith("\n")
		? text
		: text + lineEndOf(text);
}
