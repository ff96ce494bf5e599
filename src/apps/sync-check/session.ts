import { isAbsolute, resolve } from "node:path";
import type { Manifest, Store } from "../../contexts/sync/index.ts";
import type { Arguments } from "./arguments.ts";
import type { SyncParts } from "./compose.ts";
import { type Paint, showPath } from "./text.ts";

export interface Stream {
	write(text: string): unknown;
	readonly isTTY?: boolean;
	on?(
		event: "error",
		listener: (fault: NodeJS.ErrnoException) => void,
	): unknown;
}

export interface Streams {
	readonly out: Stream;
	readonly error: Stream;
}

export interface Outside {
	/** Absolute. */
	readonly folder: string;
	readonly environment: Readonly<Record<string, string | undefined>>;
	/** Ends a watch. */
	readonly signal?: AbortSignal;
}

export type Complain = (
	message: string,
	code: string,
	details?: object,
) => number;

/** How a failure is told, and what the program then ends with: the manifest, the command line, or we ourselves. */
export const trouble = 2;

export function openComplain(streams: Streams, json: boolean): Complain {
	return (message, code, details) => {
		if (json)
			streams.out.write(
				`${JSON.stringify({ exit_code: trouble, error: { code, message, ...details } }, undefined, 2)}\n`,
			);
		// Editors find the place of a mistake where it begins the line.
		else
			streams.error.write(
				`${code === "sync/manifest-invalid" ? "" : "sync-check: "}${message}\n`,
			);
		return trouble;
	};
}

export interface Session {
	readonly read: Arguments;
	readonly streams: Streams;
	readonly outside: Outside;
	readonly parts: SyncParts;
	readonly complain: Complain;
	readonly paint: Paint;
	readonly home: string;
}

export interface Opened {
	readonly manifest: Manifest;
	readonly text: string;
	readonly store: Store;
}

export function shown(path: string, { outside }: Session): string {
	return showPath(path, slashes(outside.folder));
}

export function slashes(path: string): string {
	return process.platform === "win32" ? path.replaceAll("\\", "/") : path;
}

/** Of a path as somebody wrote it. */
export function absolute(path: string, { outside, home }: Session): string {
	const expanded =
		path === "~" || path.startsWith("~/") ? home + path.slice(1) : path;
	return slashes(
		isAbsolute(expanded)
			? resolve(expanded)
			: resolve(outside.folder, expanded),
	);
}
