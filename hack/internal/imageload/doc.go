// Package imageload loads image archives into containerd, where the kubelet finds them by tag and by digest.
//
// Input: OCI image layouts in tar files. Output: images in containerd's namespace for Kubernetes. Images already
// present are skipped.
package imageload
