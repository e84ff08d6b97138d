// Package imageload puts image archives into containerd, where the kubelet finds them by tag and by digest.
//
// In: OCI image layouts in tar files. Out: images in containerd's namespace for Kubernetes; those that are there already are skipped.
package imageload
