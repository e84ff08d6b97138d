// Package archive assembles images from layers and writes each as an OCI image layout in one tar file.
//
// Flows in: layers, the process settings of the image and its name. Flows out: a tar that containerd imports under
// that name, and the digest of the image in it.
package archive
