/** The countries that a name stands for, ISO 3166; none for a country itself and for a name we do not know. */
export function memberCountries(name: string): readonly string[] {
	return groups[name.toUpperCase()] ?? [];
}

/** Countries in few words: the name of an area for all of its own, the largest there is, then those beside it. */
export function namedCountries(countries: readonly string[]): string {
	const area = ["EEA", "EU"].find((name) =>
		memberCountries(name).every((each) => countries.includes(each)),
	);
	const others =
		area === undefined
			? countries
			: countries.filter((each) => !memberCountries(area).includes(each));
	return [...(area === undefined ? [] : [area]), ...others].join(", ");
}

/** Members since 2020. */
const union =
	"AT BE BG CY CZ DE DK EE ES FI FR GR HR HU IE IT LT LU LV MT NL PL PT RO SE SI SK".split(
		" ",
	);

const groups: Readonly<Record<string, readonly string[]>> = {
	EU: union,
	EEA: [...union, "IS", "LI", "NO"],
};
