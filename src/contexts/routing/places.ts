/** A set of places in a catalogue, a bit each: those of two sets are joined and parted 32 at a time. */
export type Places = Int32Array;

export function noPlaces(size: number): Places {
	return new Int32Array((size + 31) >>> 5);
}

/** Those of `size` for which a test holds. */
export function placesWhere(
	size: number,
	test: (place: number) => boolean,
): Places {
	const places = noPlaces(size);
	for (let place = 0; place < size; place++)
		if (test(place)) addPlace(places, place);
	return places;
}

export function allPlaces(size: number): Places {
	const places = noPlaces(size).fill(-1);
	const beyond = size & 31;
	if (beyond > 0) places[places.length - 1] = ~(-1 << beyond);
	return places;
}

export function addPlace(places: Places, place: number): void {
	places[place >>> 5] = (places[place >>> 5] as number) | (1 << (place & 31));
}

export function hasPlace(places: Places, place: number): boolean {
	return (((places[place >>> 5] as number) >>> (place & 31)) & 1) === 1;
}

/** Adds to `places` what is in `others`. */
export function join(places: Places, others: Places): Places {
	others.forEach((bits, at) => {
		places[at] = (places[at] as number) | bits;
	});
	return places;
}

/** Takes out of `places` what is not in `others`. */
export function keep(places: Places, others: Places): Places {
	others.forEach((bits, at) => {
		places[at] = (places[at] as number) & bits;
	});
	return places;
}

/** Takes out of `places` what is in `others`. */
export function leave(places: Places, others: Places): Places {
	others.forEach((bits, at) => {
		places[at] = (places[at] as number) & ~bits;
	});
	return places;
}

/** In their order. The set may change meanwhile, and what is visited does not. */
export function placesIn(places: Places): number[] {
	const found: number[] = [];
	places.forEach((bits, at) => {
		for (let bit = 0; bit < 32; bit++)
			if (((bits >>> bit) & 1) === 1) found.push(at * 32 + bit);
	});
	return found;
}

/** In how many of the sets each place is. */
export function countIn(all: readonly Places[], size: number): Uint32Array {
	const counts = new Uint32Array(size);
	for (const places of all)
		for (let place = 0; place < size; place++)
			counts[place] =
				(counts[place] as number) +
				(((places[place >>> 5] as number) >>> (place & 31)) & 1);
	return counts;
}
