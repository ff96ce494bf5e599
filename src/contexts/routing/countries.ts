/** The countries that a name stands for, ISO 3166; none for a country itself and for a name we do not know. */
export function memberCountries(name: string): readonly string[] {
	return groups[name.toUpperCase()] ?? [];
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
