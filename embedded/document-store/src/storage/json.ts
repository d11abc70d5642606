/** Reads JSON that this server wrote itself; what lacks one of the fields is refused as damaged. */
export function fromJson<T extends object>(text: string, fields: readonly (keyof T)[]): T {
  return checked<T>(JSON.parse(text), fields);
}

function checked<T extends object>(value: T, fields: readonly (keyof T)[]): T {
  for (const field of fields) {
    if (!(field in value)) throw new Error(`a stored record lacks ${String(field)}`);
  }
  return value;
}
