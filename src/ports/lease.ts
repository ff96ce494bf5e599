/**
 * Who holds what for how long, among processes that share a store. Time is the store's own, so that clocks that
 * disagree do no harm. A lease says who should act; that nobody else acts is promised only by what checks the token,
 * or by work that is safe to do twice.
 */
export interface Leases {
	/**
	 * Takes a lease that is free or whose time is over, or extends one's own, until `milliseconds` from now.
	 * Returns its token, or undefined while another holds it. Each tenure has a token of its own, higher than every
	 * earlier one in this store; extending keeps it, also late, as long as nobody else took or buried the lease.
	 * `note` is for whoever lists.
	 */
	take(
		name: string,
		holder: string,
		milliseconds: number,
		note?: string,
	): Promise<number | undefined>;
	/** Gives a lease back before its time. Nothing happens when that tenure is over. */
	release(name: string, token: number): Promise<void>;
	/** Leases whose name begins so, by name; those whose time is over stand here until they are taken or buried. */
	list(prefix: string): Promise<readonly Lease[]>;
	/**
	 * Removes leases whose name begins so and whose time ended at least `grace` milliseconds ago, and names them.
	 * From then on, that tenure is over for good: nothing extends it.
	 */
	bury(prefix: string, grace: number): Promise<readonly string[]>;
}

export interface Lease {
	readonly name: string;
	readonly holder: string;
	readonly token: number;
	/** Milliseconds until its time is over; below zero when it is. */
	readonly left: number;
	readonly note: string;
}
