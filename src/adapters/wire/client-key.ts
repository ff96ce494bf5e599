type Header = (name: string) => string | undefined;

/**
 * The key a client sent: `Authorization: Bearer …`, `x-api-key: …` or `x-goog-api-key: …`, whichever
 * protocol it speaks, since people put any into any SDK. None when two are there and differ: which
 * of two accounts pays is not ours to guess. None also when it is no run of up to 512 visible
 * characters.
 */
export function clientKey(header: Header): string | undefined {
	return oneKey(keysIn(header));
}

/** The same, for clients that may also write it into the address, as `?key=…`. */
export function clientKeyOrQuery(
	header: Header,
	query = "",
): string | undefined {
	const keys = keysIn(header);
	// Hardly any address has one: nothing is parsed for the others.
	if (query.includes("key="))
		for (const key of new URLSearchParams(query).getAll("key"))
			keys.push(key.trim());
	return oneKey(keys);
}

function keysIn(header: Header): (string | undefined)[] {
	return [
		/^bearer +(.*)$/i.exec(header("authorization")?.trim() ?? "")?.[1]?.trim(),
		header("x-api-key")?.trim(),
		header("x-goog-api-key")?.trim(),
	];
}

function oneKey(sent: readonly (string | undefined)[]): string | undefined {
	let key: string | undefined;
	for (const each of sent) {
		if (!each) continue;
		if (key !== undefined && each !== key) return undefined;
		key = each;
	}
	return key && /^[\x21-\x7e]{1,512}$/.test(key) ? key : undefined;
}
