// Arrays as dlx.workbench.writing writes them, {dtype, shape, data}: base64 of little-endian numbers.

const ARRAY_KINDS = { f4: Float32Array, f8: Float64Array, i1: Int8Array, i2: Int16Array, i4: Int32Array, u1: Uint8Array, u4: Uint32Array };

/** Return a written array as a typed array, flat. */
export function readArray(written) {
  const text = atob(written.data);
  const bytes = new Uint8Array(text.length);
  for (let i = 0; i < text.length; i += 1) bytes[i] = text.charCodeAt(i);
  return new ARRAY_KINDS[written.dtype](bytes.buffer);
}
