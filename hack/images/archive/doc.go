// Package archive assembles images from layers and writes each as an OCI image layout in one tar file.
//
// Input: layers, the image's process settings and its name. Output: a tar file that containerd imports under that name,
// and the digest of the image.
package archive
