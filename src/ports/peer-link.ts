/**
 * How processes of one fleet speak to each other: texts, each whole and in order, that nobody else can read, change,
 * repeat or make up without the secret that both ends know. Whoever sits between them can do no more than end a
 * connection, or hold it up.
 */
export interface PeerLink {
	/**
	 * Takes in whoever knows the secret: at least 16 random bytes. `host` is an address of this machine; `port` 0 takes
	 * any that is free. An `accept` that throws ends that connection. Rejects with `peer/cannot-listen`.
	 */
	listen(options: {
		readonly host: string;
		readonly port: number;
		readonly secret: Uint8Array;
		readonly accept: (peer: Peer) => void;
	}): Promise<PeerListening>;
	/**
	 * Reaches one that listens. Rejects with `peer/unreachable`, also where it answers without knowing the secret.
	 */
	connect(place: PeerPlace, secret: Uint8Array): Promise<Peer>;
}

export interface PeerPlace {
	readonly host: string;
	readonly port: number;
}

export interface PeerListening extends PeerPlace {
	/** Takes in nobody any more, and cuts all connections. */
	close(): Promise<void>;
}

export interface Peer {
	/**
	 * Any text of well-formed Unicode, up to 64 MiB of it in UTF-8; half a surrogate pair arrives as U+FFFD. A longer
	 * text cuts the connection, and so does a peer that lets as much pile up unread. Nothing is promised of a text that
	 * was sent when the connection ends, and one that is sent after that goes nowhere.
	 */
	send(text: string): void;
	/**
	 * Asked for once: hears of every text in order, also of those that came before, then once of the end, also when it
	 * was before. Neither is called before `hear` has returned, and no `message` after `cut`. A `message` that throws
	 * cuts the connection; an `ended` must not.
	 */
	hear(listener: {
		readonly message: (text: string) => void;
		readonly ended: () => void;
	}): void;
	/** Sends nothing more. What was sent before is still delivered, if the other side lives and reads; it ends in turn. */
	end(): void;
	/** Ends at once, without waiting for anything. */
	cut(): void;
}
