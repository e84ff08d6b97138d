// Package layouts reads OCI image layouts of releases, and attaches signatures to them.
//
// Input: an archive of the image builder with an image index. Output: the platforms of the index with their programs,
// and the archive with further images, which are marked as `cosign save` marks them.
package layouts
