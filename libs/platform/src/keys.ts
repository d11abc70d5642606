/** A person's key: seals and opens their personal leaves, and tells repeats apart by HMAC. */
export type SubjectKey = Readonly<{
  /** 32 random bytes. */
  secret: Buffer;
}>;

/**
 * The keys of data subjects, apart from the log. Destroying a key erases all that was sealed under
 * it, everywhere.
 */
export abstract class Keys {
  /** The subject's key, made now if there never was one; `undefined` once destroyed. */
  abstract ensure(subject: string): Promise<SubjectKey | undefined>;
  /** The key if it exists; answered from memory at once where possible. */
  abstract find(subject: string): SubjectKey | undefined | Promise<SubjectKey | undefined>;
  /** Overwrites the key in place and syncs; afterwards `find` gives nothing on any process. */
  abstract destroy(subject: string): Promise<void>;
  /** A key of the deployment itself for one purpose (HKDF-SHA-256 of the master key), 32 bytes. */
  abstract derive(purpose: string): Buffer;
  abstract close(): Promise<void>;
}
