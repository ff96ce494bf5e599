/** Paths as text, with `/`. Pure: nothing here asks a file system. */

export function isAbsolute(path: string): boolean {
	return path.startsWith("/") || /^[A-Za-z]:\//.test(path);
}

/** Without `.`, `..`, doubled and closing slashes. A `..` that leads above a relative path's start stays. */
export function normalize(path: string): string {
	const drive = /^[A-Za-z]:(?=\/)/.exec(path)?.[0] ?? "";
	const rooted = path.slice(drive.length).startsWith("/");
	const parts: string[] = [];
	for (const part of path.slice(drive.length).split("/")) {
		if (part === "" || part === ".") continue;
		if (part !== "..") parts.push(part);
		else if (parts.length > 0 && parts.at(-1) !== "..") parts.pop();
		else if (!rooted) parts.push(part);
	}
	return drive + (rooted ? "/" : "") + parts.join("/");
}

export function join(base: string, path: string): string {
	if (path === "") return base;
	return normalize(isAbsolute(path) ? path : `${base}/${path}`);
}

export function parentOf(path: string): string {
	const slash = path.lastIndexOf("/");
	if (slash < 0) return "";
	return slash === 0 ? "/" : path.slice(0, slash);
}

export function nameOf(path: string): string {
	return path.slice(path.lastIndexOf("/") + 1);
}

/** Whether a path is a folder or something in it. */
export function isWithin(folder: string, path: string): boolean {
	return (
		path === folder ||
		path.startsWith(folder.endsWith("/") ? folder : `${folder}/`)
	);
}

/** The path from a folder, with `..` where it must be. Both absolute. */
export function relativeTo(folder: string, path: string): string {
	if (path === folder) return ".";
	if (isWithin(folder, path))
		return path.slice(folder.endsWith("/") ? folder.length : folder.length + 1);
	const from = folder.split("/");
	const to = path.split("/");
	let same = 0;
	while (same < from.length && same < to.length && from[same] === to[same])
		same++;
	// Nothing but the root in common: the whole path says it better.
	if (same <= 1) return path;
	return [...from.slice(same).map(() => ".."), ...to.slice(same)].join("/");
}

/** What two names become on a file system that ignores case or how an accent is encoded. */
export function foldName(path: string): string {
	return path.normalize("NFC").toLowerCase().normalize("NFC");
}

/**
 * A name in one line of a text file: line breaks, backslashes, NUL and lone surrogates are escaped.
 * `unescapeName` takes it back.
 */
export function escapeName(name: string): string {
	if (!/[\\\n\r\t\0\ud800-\udfff]/.test(name)) return name;
	return name.replace(
		/[\\\n\r\t\0]|[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]/g,
		(unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`,
	);
}

export function unescapeName(text: string): string {
	return text.includes("\\")
		? text.replace(/\\u([0-9a-f]{4})/g, (_, unit: string) =>
				String.fromCharCode(Number.parseInt(unit, 16)),
			)
		: text;
}
