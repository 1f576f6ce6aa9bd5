/** Edge of the picture in pixels, where the page that shows it says nothing else. */
const size = 256;

/**
 * A picture for a person who has uploaded none: an SVG that is always the same for a seed. The style “Thumbs” is in the
 * public domain (CC0 1.0).
 */
export async function drawAvatar(seed: string): Promise<string> {
  // Imported here as a gateway that is never asked for an avatar needs neither.
  const [{ createAvatar }, thumbs] = await Promise.all([
    import('@dicebear/core'),
    import('@dicebear/thumbs'),
  ]);
  return createAvatar(thumbs, { seed, size }).toString();
}
